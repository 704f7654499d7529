import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { bullPrefix } from './keys.ts';

/** Events are only for tools that watch; their stream stays short. */
const EVENTS_MAX_LENGTH = 1000;

/** The BullMQ queue of a model, over a shared connection. */
export function openBullQueue(redis: Redis, model: string): Queue {
  return new Queue(model, {
    connection: redis,
    prefix: bullPrefix(model),
    streams: { events: { maxLen: EVENTS_MAX_LENGTH } },
    // `checkRedis` says it better, and once for each process instead of once for each model.
    skipVersionCheck: true,
  });
}

/** The queues of one process, opened when first needed. */
export class BullQueues {
  readonly #redis: Redis;
  readonly #onError: (error: Error) => void;
  readonly #queues = new Map<string, Promise<Queue>>();

  constructor(redis: Redis, onError: (error: Error) => void) {
    this.#redis = redis;
    this.#onError = onError;
  }

  /** @throws Error during an outage, at once */
  of(model: string): Promise<Queue> {
    const existing = this.#queues.get(model);
    if (existing !== undefined) return existing;
    const opening = this.#open(model);
    this.#queues.set(model, opening);
    opening.catch(() => this.#queues.delete(model));
    return opening;
  }

  async #open(model: string): Promise<Queue> {
    // BullMQ would wait for as long as the outage lasts, and keep a failed start for good.
    if (this.#redis.status !== 'ready') throw new Error('Connection is closed.');
    const queue = openBullQueue(this.#redis, model);
    queue.on('error', this.#onError);
    await queue.waitUntilReady();
    return queue;
  }

  async close(): Promise<void> {
    const opened = await Promise.allSettled(this.#queues.values());
    this.#queues.clear();
    await Promise.all(
      opened.map((queue) => (queue.status === 'fulfilled' ? queue.value.close() : undefined)),
    );
  }
}
