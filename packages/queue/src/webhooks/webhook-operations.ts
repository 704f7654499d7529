import type { Job, Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import type { BullQueues } from '../bull-queues.ts';
import { bullKey } from '../keys.ts';
import { dueTimeOf } from './delivery-depth.ts';
import { DELIVERY_QUEUE, type DeliveryData, deliveryDataSchema } from './delivery-record.ts';
import { GoneEndpoints } from './gone-endpoints.ts';
import { sharedWebhookSecret } from './webhook-secret.ts';

/** `waiting`: for its first attempt or its next one; `failed`: a dead letter. */
export const DELIVERY_STATES = ['waiting', 'delivering', 'delivered', 'failed'] as const;
export type DeliveryState = (typeof DELIVERY_STATES)[number];

/** BullMQ's sets by our states. */
const BULL_STATES = {
  waiting: ['waiting', 'delayed'],
  delivering: ['active'],
  delivered: ['completed'],
  failed: ['failed'],
} as const satisfies Record<DeliveryState, readonly string[]>;

/** A delivery as operators see it. */
export interface Delivery {
  readonly id: string;
  readonly state: DeliveryState;
  readonly data: DeliveryData;
  /** Attempts that have failed. */
  readonly failedAttempts: number;
  /** Of one that waits for its next attempt. */
  readonly nextAttemptAtMs?: number;
  readonly finishedAtMs?: number;
  /** Why it failed, the last time. */
  readonly reason?: string;
}

export interface DeliveryQuery {
  readonly state: DeliveryState;
  /** Host and port of the receiver, as its URL has them. */
  readonly host?: string;
  readonly limit: number;
}

const PAGE_SIZE = 100;

export interface WebhookOperationsParts {
  readonly redis: Redis;
  readonly queues: BullQueues;
  /** Makes failures of Redis and of a closed queue what the queue promises. */
  readonly guarded: <T>(action: () => Promise<T>) => Promise<T>;
}

/** What operators read of webhooks and do to them; the failures are those of `PredictionQueue`. */
export class WebhookOperations {
  readonly #parts: WebhookOperationsParts;
  readonly #gone: GoneEndpoints;

  constructor(parts: WebhookOperationsParts) {
    this.#parts = parts;
    this.#gone = new GoneEndpoints(parts.redis);
  }

  /** The secret that deliveries are signed with where none is configured. */
  secret(): Promise<string> {
    return this.#parts.guarded(() => sharedWebhookSecret(this.#parts.redis));
  }

  /** Deliveries of a state, the latest first. */
  list({ state, host, limit }: DeliveryQuery): Promise<Delivery[]> {
    return this.#parts.guarded(async () => {
      const queue = await this.#queue();
      const found: Delivery[] = [];
      for (let start = 0; found.length < limit; start += PAGE_SIZE) {
        const end = start + PAGE_SIZE - 1;
        const jobs = await queue.getJobs([...BULL_STATES[state]], start, end);
        found.push(...jobs.flatMap((job) => deliveryOf(job, state) ?? []).filter(isTo(host)));
        if (jobs.length === 0) break;
      }
      return Promise.all(found.slice(0, limit).map((delivery) => this.#timed(delivery)));
    });
  }

  /** One delivery with its log; undefined if there is none (any more). */
  get(id: string): Promise<{ delivery: Delivery; log: readonly string[] } | undefined> {
    return this.#parts.guarded(async () => {
      const queue = await this.#queue();
      const delivery = await this.#read(queue, id);
      if (delivery === undefined) return undefined;
      return { delivery, log: (await queue.getJobLogs(id)).logs };
    });
  }

  /**
   * Delivers again, under the same id and from the first attempt on: what has failed, and what was
   * delivered too. What waits is tried at once. A receiver that was gone is called again.
   * @returns the delivery as it stands then; undefined if there is none
   */
  replay(id: string): Promise<Delivery | undefined> {
    return this.#parts.guarded(async () => {
      const queue = await this.#queue();
      const job: Job | undefined = await queue.getJob(id);
      if (job !== undefined) await this.#replay(job);
      return this.#read(queue, id);
    });
  }

  /**
   * Replays every dead letter, or those to one host.
   * @returns how many
   */
  replayFailed(host?: string): Promise<number> {
    return this.#parts.guarded(async () => {
      const queue = await this.#queue();
      // All ids first: what fails again meanwhile is not replayed for ever.
      const ids = await this.#parts.redis.zrange(bullKey(DELIVERY_QUEUE, 'failed'), '0', '-1');
      let replayed = 0;
      for (let start = 0; start < ids.length; start += PAGE_SIZE) {
        const page = ids.slice(start, start + PAGE_SIZE);
        const jobs: (Job | undefined)[] = await Promise.all(page.map((id) => queue.getJob(id)));
        const outcomes = await Promise.all(jobs.map((job) => this.#replayFailed(job, host)));
        replayed += outcomes.filter(Boolean).length;
      }
      return replayed;
    });
  }

  async #replayFailed(job: Job | undefined, host: string | undefined): Promise<boolean> {
    const delivery = job === undefined ? undefined : deliveryOf(job, 'failed');
    if (job === undefined || delivery === undefined || !isTo(host)(delivery)) return false;
    await this.#replay(job);
    return true;
  }

  async #replay(job: Job): Promise<void> {
    const data = deliveryDataSchema.safeParse(job.data).data;
    if (data === undefined) return;
    await this.#gone.clear(data.url);
    await job.updateData({ ...data, sinceMs: Date.now() } satisfies DeliveryData);
    const state = await job.getState();
    // Somebody else, or the delivery itself, may have been faster: then it is on its way already.
    if (state === 'failed' || state === 'completed') {
      await job.retry(state, { resetAttemptsMade: true }).catch(unlessMoved);
    } else if (state === 'delayed') {
      await job.promote().catch(unlessMoved);
    }
  }

  async #read(queue: Queue, id: string): Promise<Delivery | undefined> {
    const job: Job | undefined = await queue.getJob(id);
    if (job === undefined) return undefined;
    const bullState = await job.getState();
    const state = DELIVERY_STATES.find((name) =>
      BULL_STATES[name].some((candidate) => candidate === bullState),
    );
    const delivery = state === undefined ? undefined : deliveryOf(job, state);
    return delivery === undefined ? undefined : this.#timed(delivery);
  }

  /** With the time of the next attempt, which its place among the delayed ones tells. */
  async #timed(delivery: Delivery): Promise<Delivery> {
    if (delivery.state !== 'waiting') return delivery;
    const score = await this.#parts.redis.zscore(bullKey(DELIVERY_QUEUE, 'delayed'), delivery.id);
    if (score === null) return delivery;
    return { ...delivery, nextAttemptAtMs: dueTimeOf(score) };
  }

  #queue(): Promise<Queue> {
    return this.#parts.queues.of(DELIVERY_QUEUE);
  }
}

function deliveryOf(job: Job, state: DeliveryState): Delivery | undefined {
  const data = deliveryDataSchema.safeParse(job.data).data;
  if (data === undefined || job.id === undefined) return undefined;
  return {
    id: job.id,
    state,
    data,
    failedAttempts: job.attemptsMade - (state === 'delivered' ? 1 : 0),
    ...(job.finishedOn !== undefined && { finishedAtMs: job.finishedOn }),
    ...(typeof job.failedReason === 'string' &&
      state !== 'delivered' && { reason: job.failedReason }),
  };
}

function isTo(host: string | undefined): (delivery: Delivery) => boolean {
  return ({ data }) =>
    host === undefined || (URL.canParse(data.url) && new URL(data.url).host === host);
}

/** BullMQ's answer to a job that is no longer where it was. */
function unlessMoved(error: unknown): void {
  const isMoved = error instanceof Error && /not in the .* state|Missing key/i.test(error.message);
  if (!isMoved) throw error;
}
