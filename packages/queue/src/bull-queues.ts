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
  });
}

/** The queues of one process, opened when first needed. */
export class BullQueues {
  readonly #redis: Redis;
  readonly #onError: (error: Error) => void;
  readonly #queues = new Map<string, Queue>();

  constructor(redis: Redis, onError: (error: Error) => void) {
    this.#redis = redis;
    this.#onError = onError;
  }

  of(model: string): Queue {
    const existing = this.#queues.get(model);
    if (existing !== undefined) return existing;
    const queue = openBullQueue(this.#redis, model);
    queue.on('error', this.#onError);
    this.#queues.set(model, queue);
    return queue;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#queues.values()].map((queue) => queue.close()));
  }
}
