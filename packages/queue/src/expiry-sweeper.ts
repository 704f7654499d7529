import type { Redis } from 'ioredis';
import { BullQueues } from './bull-queues.ts';
import { DeadlineListener } from './deadline-list.ts';
import { sweepExpired } from './expiry-sweep.ts';
import { deadlinesKey } from './keys.ts';
import { isConnectionError } from './redis-connection.ts';
import { WebhookOutbox } from './webhooks/webhook-outbox.ts';

/** How often each model's earliest deadline is read: a message may have been lost. */
const READ_INTERVAL_MS = 1000;
/** Processes that know of a deadline only from others come a little later, and apart from each other. */
const MAX_LAG_MS = 25;

export interface ExpirySweeperOptions {
  readonly redis: Redis;
  /** A connection of role `subscriber`. */
  readonly subscriber: Redis;
  /** The models to look after besides those noted; asked for at every reading. */
  readonly models: () => readonly string[];
  readonly onError: (error: Error) => void;
  /** Told how many predictions of a model this process has ended. */
  readonly onExpired?: (model: string, predictions: number) => void;
}

/**
 * Ends waiting predictions when their deadlines come, whether or not a worker runs. Every process that
 * accepts or runs predictions has one; they need not know of each other.
 *
 * It sleeps until the earliest deadline that it knows: those that this process accepted are noted, of
 * those of others it is told, as these may be gone by then, and once a second it reads what messages
 * may have missed, which is all that it costs while nothing has a deadline. Many
 * that come at once are ended step by step, and between the steps Redis serves others.
 */
export class ExpirySweeper {
  readonly #options: ExpirySweeperOptions;
  readonly #queues: BullQueues;
  readonly #outbox: WebhookOutbox;
  readonly #listener: DeadlineListener;
  /** When to sweep each model next; none if it has no deadline that is known. */
  readonly #dueAtMs = new Map<string, number>();
  readonly #noted = new Set<string>();
  readonly #lagMs = Math.random() * MAX_LAG_MS;
  #nextReadAtMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #round: Promise<void> | undefined;
  #isStarted = false;
  #isClosed = false;

  constructor(options: ExpirySweeperOptions) {
    this.#options = options;
    this.#queues = new BullQueues(options.redis, options.onError);
    this.#outbox = new WebhookOutbox(options.redis, this.#queues);
    this.#listener = new DeadlineListener(options.subscriber, (model, deadlineAtMs) =>
      this.note(model, deadlineAtMs + this.#lagMs),
    );
  }

  start(): void {
    this.#isStarted = true;
    this.#listener.start().catch((error: unknown) => this.#report(error));
    this.#arm();
  }

  /** To be called for what this process accepted. */
  note(model: string, deadlineAtMs: number | undefined): void {
    if (deadlineAtMs === undefined) return;
    this.#noted.add(model);
    this.#due(model, deadlineAtMs);
    if (deadlineAtMs < this.#timerAtMs) this.#arm();
  }

  #due(model: string, atMs: number): void {
    this.#dueAtMs.set(model, Math.min(this.#dueAtMs.get(model) ?? Number.POSITIVE_INFINITY, atMs));
  }

  /** Sets the only timer; while a round is under way its end does it. */
  #arm(): void {
    if (!this.#isStarted || this.#isClosed || this.#round !== undefined) return;
    clearTimeout(this.#timer);
    this.#timerAtMs = Math.min(this.#nextReadAtMs, ...this.#dueAtMs.values());
    this.#timer = setTimeout(this.#onTimer, Math.max(0, Math.ceil(this.#timerAtMs - Date.now())));
  }

  readonly #onTimer = (): void => {
    this.#round = this.#runRound()
      .catch((error: unknown) => this.#report(error))
      .finally(() => {
        this.#round = undefined;
        this.#arm();
      });
  };

  /** The connection itself tells of its outages; the next reading finds what was left. */
  #report(error: unknown): void {
    if (this.#isClosed || !(error instanceof Error) || isConnectionError(error)) return;
    this.#options.onError(error);
  }

  async #runRound(): Promise<void> {
    const nowMs = Date.now();
    // Before anything can fail, so that a round that fails is not repeated at once.
    const isReadingDue = nowMs >= this.#nextReadAtMs;
    if (isReadingDue) this.#nextReadAtMs = nowMs + READ_INTERVAL_MS;
    const due = [...this.#dueAtMs].filter(([, dueAtMs]) => dueAtMs <= nowMs);
    for (const [model] of due) this.#dueAtMs.delete(model);
    for (const [model] of due) await this.#sweep(model);
    if (isReadingDue) await this.#readDeadlines();
  }

  async #sweep(model: string): Promise<void> {
    const { redis, onExpired } = this.#options;
    while (!this.#isClosed) {
      const { expired, nextDeadlineAtMs } = await sweepExpired(redis, model, this.#outbox);
      if (expired > 0) onExpired?.(model, expired);
      if (nextDeadlineAtMs === undefined) return;
      if (nextDeadlineAtMs > Date.now()) {
        this.#due(model, nextDeadlineAtMs + this.#lagMs);
        return;
      }
    }
  }

  async #readDeadlines(): Promise<void> {
    const { redis, models } = this.#options;
    const all = [...new Set([...models(), ...this.#noted])];
    const heads = await Promise.all(
      all.map((model) => redis.zrange(deadlinesKey(model), '0', '0', 'WITHSCORES')),
    );
    for (const [i, model] of all.entries()) {
      const deadline = heads[i]?.[1];
      if (deadline !== undefined) this.#due(model, Number(deadline) + this.#lagMs);
    }
  }

  /** Stops at once; resolves when Redis has answered what it was asked last. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#listener.close();
    clearTimeout(this.#timer);
    await this.#round;
    await this.#queues.close();
  }
}
