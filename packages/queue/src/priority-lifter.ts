import type { Redis } from 'ioredis';
import { liftWaiting } from './lift-waiting.ts';
import { PriorityShares } from './priority-shares.ts';
import { isConnectionError } from './redis-connection.ts';

/** Lifting costs Redis one command, and no more often than this. */
const INTERVAL_MS = 200;

export interface PriorityLifterOptions {
  readonly redis: Redis;
  readonly model: string;
  readonly onError: (error: Error) => void;
}

/**
 * Sees to it that one model's lower classes get their share of what a consumer starts; see
 * `PriorityShares`. Nothing is asked of Redis while nothing starts.
 */
export class PriorityLifter {
  readonly #options: PriorityLifterOptions;
  readonly #shares = new PriorityShares();
  #lastAtMs = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #isPlanned = false;
  #isClosed = false;

  constructor(options: PriorityLifterOptions) {
    this.#options = options;
  }

  /** To be called for each prediction that starts. */
  started(): void {
    this.#shares.started();
    if (!this.#isPlanned && this.#shares.isDue) this.#plan();
  }

  #plan(): void {
    if (this.#isClosed) return;
    this.#isPlanned = true;
    const pauseMs = this.#lastAtMs + INTERVAL_MS - performance.now();
    if (pauseMs <= 0) void this.#lift();
    else this.#timer = setTimeout(() => void this.#lift(), pauseMs);
  }

  async #lift(): Promise<void> {
    const { redis, model, onError } = this.#options;
    const { owed } = this.#shares;
    this.#lastAtMs = performance.now();
    try {
      await liftWaiting(redis, model, owed);
      this.#shares.settle(owed);
    } catch (error) {
      // What is owed stays owed.
      if (error instanceof Error && !isConnectionError(error)) onError(error);
    }
    this.#isPlanned = false;
    if (this.#shares.isDue) this.#plan();
  }

  /** Stops at once. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }
}
