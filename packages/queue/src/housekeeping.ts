import type { QueueSettings } from '@quern/contract';
import type { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { trimIndex } from './index-trimming.ts';
import { bullKey } from './keys.ts';
import { PayloadStore } from './payload-store.ts';

const INTERVAL_MS = 5000;
/** One round removes no more jobs of a queue than this, so that it stays short. */
const MAX_REMOVED = 1000;

export interface HousekeepingOptions {
  readonly redis: Redis;
  /** Default: Redis alone. */
  readonly payloads?: PayloadStore;
  /** The queues to keep, with their settings; asked for at every round. */
  readonly queues: () => readonly { queue: Queue; settings: QueueSettings }[];
  readonly onError: (error: Error) => void;
}

/**
 * Retention that BullMQ does not do by itself: large results by count, jobs of a queue in which nothing
 * ends any more, canceled jobs (they end without its help), and what remains of jobs that are gone:
 * their places in lists, inputs and reservations. Every worker does it; twice is fine.
 */
export class Housekeeping {
  readonly #options: HousekeepingOptions;
  readonly #payloads: PayloadStore;
  /** How far each model's index has been walked. */
  readonly #walked = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;
  #round: Promise<void> | undefined;

  constructor(options: HousekeepingOptions) {
    this.#options = options;
    this.#payloads = options.payloads ?? new PayloadStore(options.redis);
  }

  start(): void {
    this.#timer ??= setInterval(() => {
      this.#round ??= this.runOnce()
        .catch(this.#options.onError)
        .finally(() => {
          this.#round = undefined;
        });
    }, INTERVAL_MS);
  }

  /** One round over all queues. */
  async runOnce(): Promise<void> {
    const { redis, queues } = this.#options;
    for (const { queue, settings } of queues()) {
      const { succeeded, failed } = settings.retention;
      await this.#payloads.trimResults(queue.name, succeeded.count);
      await this.#removeJobs(queue, 'completed', succeeded);
      await this.#removeJobs(queue, 'failed', failed);
      const walked = this.#walked.get(queue.name) ?? 0;
      this.#walked.set(queue.name, await trimIndex(redis, this.#payloads, queue.name, walked));
    }
  }

  async #removeJobs(
    queue: Queue,
    set: 'completed' | 'failed',
    { ageSeconds, count }: QueueSettings['retention']['failed'],
  ): Promise<void> {
    const { redis } = this.#options;
    const key = bullKey(queue.name, set);
    const ageMs = ageSeconds * 1000;
    // Counted first: BullMQ writes an event for every cleaning, also of nothing.
    const [old, all] = await Promise.all([
      redis.zcount(key, '-inf', Date.now() - ageMs),
      redis.zcard(key),
    ]);
    if (old > 0) await queue.clean(ageMs, MAX_REMOVED, set);
    const excess = all - Math.min(old, MAX_REMOVED) - count;
    if (excess > 0) await queue.clean(0, Math.min(excess, MAX_REMOVED), set);
  }

  /** Resolves when the round that is under way has ended. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#round;
  }
}
