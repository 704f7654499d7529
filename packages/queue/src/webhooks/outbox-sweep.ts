import type { Redis } from 'ioredis';
import { BullQueues } from '../bull-queues.ts';
import { JobReader } from '../job-reader.ts';
import type { JobView } from '../job-record.ts';
import { predictionIndexKey, WEBHOOK_OUTBOX_KEY } from '../keys.ts';
import { PayloadStore } from '../payload-store.ts';
import { isConnectionError } from '../redis-connection.ts';
import { readOutboxMember, WebhookOutbox } from './webhook-outbox.ts';

const INTERVAL_MS = 2000;
const STEP = 200;
/** What has not ended is looked at again after half its age, within these bounds. */
const MIN_RECHECK_MS = 10_000;
const MAX_RECHECK_MS = 300_000;
/** A prediction on the list that is younger than this, and has no job, is just being added. */
const MIN_AGE_MS = 60_000;

export interface OutboxSweepOptions {
  readonly redis: Redis;
  readonly onError: (error: Error) => void;
  /** Told of deliveries that would have been lost. */
  readonly onFound?: (deliveries: number) => void;
  /** Told of a prediction that was removed before anybody could see how it ended. */
  readonly onVanished?: (model: string, id: string) => void;
}

/**
 * Finds predictions that have ended and whose deliveries nobody has enqueued: the process that ended
 * them was killed, or Redis was away, between the two. Any number of processes may sweep at a time.
 */
export class OutboxSweep {
  readonly #options: OutboxSweepOptions;
  readonly #queues: BullQueues;
  readonly #reader: JobReader;
  readonly #outbox: WebhookOutbox;
  #timer: NodeJS.Timeout | undefined;
  #round: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: OutboxSweepOptions) {
    const { redis, onError } = options;
    this.#options = options;
    this.#queues = new BullQueues(redis, onError);
    this.#reader = new JobReader(redis, new PayloadStore(redis));
    this.#outbox = new WebhookOutbox(redis, this.#queues);
  }

  start(): void {
    this.#timer ??= setInterval(() => {
      this.#round ??= this.runOnce()
        .catch((error: unknown) => this.#report(error))
        .finally(() => {
          this.#round = undefined;
        });
    }, INTERVAL_MS);
  }

  #report(error: unknown): void {
    if (this.#isClosed || !(error instanceof Error) || isConnectionError(error)) return;
    this.#options.onError(error);
  }

  /** Looks at everything that is due, step by step. */
  async runOnce(nowMs = Date.now()): Promise<void> {
    const { redis } = this.#options;
    for (;;) {
      const due = await redis.zrangebyscore(WEBHOOK_OUTBOX_KEY, '-inf', nowMs, 'LIMIT', 0, STEP);
      const checked = await Promise.all(due.map((member) => this.#check(member, nowMs)));
      const ended = checked.flatMap((view) => view ?? []);
      await this.#outbox.ended(ended);
      if (ended.length > 0) this.#options.onFound?.(ended.length);
      if (due.length < STEP || this.#isClosed) return;
    }
  }

  /** Returns the prediction if it has ended; else it is looked at again later, or forgotten. */
  async #check(member: string, nowMs: number): Promise<JobView | undefined> {
    const { model, id } = readOutboxMember(member);
    const view = await this.#reader.view(await this.#queues.of(model), id);
    if (view === undefined) {
      await this.#checkMissing(member, nowMs);
      return undefined;
    }
    if (view.finishedAtMs !== undefined) return view;
    const age = nowMs - view.createdAtMs;
    await this.#postpone(member, nowMs + clamp(age / 2, MIN_RECHECK_MS, MAX_RECHECK_MS));
    return undefined;
  }

  async #checkMissing(member: string, nowMs: number): Promise<void> {
    const { model, id } = readOutboxMember(member);
    const listedAtMs = await this.#options.redis.zscore(predictionIndexKey(model), id);
    if (listedAtMs !== null && nowMs - Number(listedAtMs) < MIN_AGE_MS) {
      await this.#postpone(member, nowMs + MIN_RECHECK_MS);
      return;
    }
    await this.#outbox.forget([member]);
    this.#options.onVanished?.(model, id);
  }

  async #postpone(member: string, atMs: number): Promise<void> {
    // Only what is there still: somebody may have enqueued it just now.
    await this.#options.redis.zadd(WEBHOOK_OUTBOX_KEY, 'XX', Math.ceil(atMs), member);
  }

  /** Resolves when the round that is under way has ended. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer);
    await this.#round;
    await this.#queues.close();
  }
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(max, Math.max(min, value));
}
