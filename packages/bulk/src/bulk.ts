import type { Redis } from 'ioredis';
import { type FileLimits, FileStore } from './files/file-store.ts';
import { RedisSegmentStore, type SegmentStore } from './files/segment-store.ts';
import { guarded } from './redis-guard.ts';

export type BulkLimits = FileLimits;

export interface BulkOptions {
  /** A connection of role `producer`; whoever opened it closes it, after this. */
  readonly redis: Redis;
  readonly limits: BulkLimits;
  /** Where the bytes of files lie. Default: in Redis. */
  readonly segments?: SegmentStore;
  /** Told of what could not be done in the background; it is tried again. */
  readonly onError: (error: Error) => void;
}

const SWEEP_INTERVAL_MS = 60_000;

/** Files, as one process sees them. What they hold is in Redis; any process may go on with it. */
export class Bulk {
  readonly files: FileStore;
  readonly #onError: (error: Error) => void;
  readonly #timer: NodeJS.Timeout;
  #sweeping: Promise<void> = Promise.resolve();
  #closing: Promise<void> | undefined;

  constructor({ redis, limits, segments = new RedisSegmentStore(redis), onError }: BulkOptions) {
    this.files = new FileStore({ redis, segments, limits });
    this.#onError = onError;
    this.#timer = setInterval(() => this.#sweep(), SWEEP_INTERVAL_MS);
  }

  #sweep(): void {
    this.#sweeping = guarded(() => this.files.sweep()).catch(this.#onError);
  }

  /** Ends what goes on in the background. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#sweeping;
  }
}
