import type { Entry } from './entry.ts';

/** A limit that has not been seen for so long no longer counts. */
const REMEMBERED_MS = 10_000;

/** Remembers how little time entries had lately, from arrival to deadline: the next may have as little. */
export class TimeLimits {
  #shortestMs = Number.POSITIVE_INFINITY;
  #seenAtMs = Number.NEGATIVE_INFINITY;

  add({ arrivedAtMs, deadlineAtMs }: Entry<unknown>): void {
    if (deadlineAtMs === undefined) return;
    const limitMs = deadlineAtMs - arrivedAtMs;
    if (limitMs > this.shortestMs(arrivedAtMs)) return;
    this.#shortestMs = limitMs;
    this.#seenAtMs = arrivedAtMs;
  }

  /** Infinity if nobody had a deadline lately. */
  shortestMs(nowMs: number): number {
    return nowMs - this.#seenAtMs > REMEMBERED_MS ? Number.POSITIVE_INFINITY : this.#shortestMs;
  }
}
