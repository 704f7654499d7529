import type { QueueSettings } from '@quern/contract';
import type { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { bullKey, predictionIndexKey } from './keys.ts';
import { PayloadStore } from './payload-store.ts';

const INTERVAL_MS = 5000;
const INDEX_STEP = 500;
/** One round looks at no more of the index than this, so that it stays short. */
const MAX_INDEX_STEPS = 100;

export interface HousekeepingOptions {
  readonly redis: Redis;
  /** The queues to keep, with their settings; asked for at every round. */
  readonly queues: () => readonly { queue: Queue; settings: QueueSettings }[];
  readonly onError: (error: Error) => void;
}

/**
 * Retention that BullMQ does not do by itself: large results by count, canceled jobs (they end without
 * its help), and the lists' index, which forgets jobs that are gone. Every worker does it; twice is fine.
 */
export class Housekeeping {
  readonly #options: HousekeepingOptions;
  readonly #payloads: PayloadStore;
  #timer: NodeJS.Timeout | undefined;
  #round: Promise<void> | undefined;

  constructor(options: HousekeepingOptions) {
    this.#options = options;
    this.#payloads = new PayloadStore(options.redis);
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.#round ??= this.runOnce()
        .catch(this.#options.onError)
        .finally(() => {
          this.#round = undefined;
        });
    }, INTERVAL_MS);
  }

  /** One round over all queues. */
  async runOnce(): Promise<void> {
    for (const { queue, settings } of this.#options.queues()) {
      const { succeeded, failed } = settings.retention;
      await this.#payloads.trimResults(queue.name, succeeded.count);
      await queue.clean(failed.ageSeconds * 1000, 1000, 'failed');
      const excess =
        (await this.#options.redis.zcard(bullKey(queue.name, 'failed'))) - failed.count;
      if (excess > 0) await queue.clean(0, excess, 'failed');
      await this.#trimIndex(queue.name);
    }
  }

  /** Drops the oldest entries whose jobs are gone, until one is met that is still there. */
  async #trimIndex(model: string): Promise<void> {
    const { redis } = this.#options;
    const index = predictionIndexKey(model);
    for (let step = 0; step < MAX_INDEX_STEPS; step++) {
      const ids = await redis.zrange(index, '0', String(INDEX_STEP - 1));
      const exists = await Promise.all(ids.map((id) => redis.exists(bullKey(model, id))));
      const gone = ids.filter((_, i) => exists[i] === 0);
      if (gone.length > 0) await redis.zrem(index, ...gone);
      if (gone.length < INDEX_STEP) return;
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#round;
  }
}
