import type { BlobPlaces } from '@quern/blobs';
import type { Redis } from 'ioredis';
import { BLOB_SWEEP_KEY } from './keys.ts';
import { redisFault } from './redis-connection.ts';

/** Of all workers together, one sweeps once in this time. */
const INTERVAL_MS = 900_000;
/** How often a worker looks whether it is time. */
const LOOK_MS = 60_000;

export interface BlobSweeperOptions {
  readonly redis: Redis;
  readonly blobs: BlobPlaces;
  readonly onError: (error: Error) => void;
}

/**
 * Frees the room of blobs whose time is up: results by their retention, and what crashes have left.
 * Every worker has one, and they take turns by a key in Redis.
 */
export class BlobSweeper {
  readonly #options: BlobSweeperOptions;
  #timer: NodeJS.Timeout | undefined;
  #round: Promise<unknown> | undefined;

  constructor(options: BlobSweeperOptions) {
    this.#options = options;
  }

  start(): void {
    if (!this.#options.blobs.hasStores) return;
    this.#timer ??= setInterval(() => {
      this.#round ??= this.runOnce().finally(() => {
        this.#round = undefined;
      });
    }, LOOK_MS);
  }

  /** Sweeps, unless somebody has lately done so. */
  async runOnce(): Promise<void> {
    const { redis, blobs, onError } = this.#options;
    try {
      const taken = await redis.set(BLOB_SWEEP_KEY, '1', 'PX', INTERVAL_MS, 'NX');
      if (taken === 'OK') await blobs.sweep();
    } catch (error) {
      const fault = redisFault(error);
      onError(fault instanceof Error ? fault : new Error(String(fault)));
    }
  }

  /** Resolves when the sweep that is under way has ended. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#round;
  }
}
