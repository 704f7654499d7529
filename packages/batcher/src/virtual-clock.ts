import type { Clock } from './clock.ts';
import { type HeapItem, IndexedHeap } from './indexed-heap.ts';

interface Timer extends HeapItem {
  readonly atMs: number;
  readonly sequence: number;
  readonly fn: () => void;
}

/**
 * A clock for tests and simulations: time stands still until it is moved, and what falls due then
 * happens in order, each event with all its promise continuations before the next one.
 */
export class VirtualClock implements Clock {
  #nowMs: number;
  #sequence = 0;
  #soon: (() => void)[] = [];
  readonly #timers = new IndexedHeap<Timer>(
    (a, b) => a.atMs < b.atMs || (a.atMs === b.atMs && a.sequence < b.sequence),
  );

  constructor(startMs = 0) {
    this.#nowMs = startMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  setTimer(atMs: number, fn: () => void): () => void {
    const timer: Timer = { atMs, sequence: ++this.#sequence, fn, heapIndex: -1 };
    this.#timers.push(timer);
    return () => this.#timers.remove(timer);
  }

  soon(fn: () => void): void {
    this.#soon.push(fn);
  }

  /** Resolves after `ms` of virtual time. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.setTimer(this.#nowMs + ms, resolve);
    });
  }

  /** How many timers are set. */
  get pendingTimers(): number {
    return this.#timers.size;
  }

  /** Lets everything happen that is due at this moment, without moving the time. */
  async settle(): Promise<void> {
    await this.#runDue(this.#nowMs);
  }

  /** Moves the time by `ms`, through everything that falls due on the way. */
  async advanceBy(ms: number): Promise<void> {
    await this.advanceTo(this.#nowMs + ms);
  }

  /** Moves the time to `atMs`, through everything that falls due on the way. */
  async advanceTo(atMs: number): Promise<void> {
    await this.#runDue(atMs);
    this.#nowMs = Math.max(this.#nowMs, atMs);
  }

  /** Moves the time until nothing is left to happen, at most to `limitMs`. */
  async runUntilIdle(limitMs = Number.POSITIVE_INFINITY): Promise<void> {
    await this.#runDue(limitMs);
  }

  async #runDue(untilMs: number): Promise<void> {
    for (;;) {
      await continuations();
      if (this.#soon.length > 0) {
        const due = this.#soon;
        this.#soon = [];
        for (const fn of due) fn();
        continue;
      }
      const next = this.#timers.peek();
      if (next === undefined || next.atMs > untilMs) return;
      this.#timers.remove(next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.fn();
    }
  }
}

/** Resolves once every promise continuation that is ready, and those they make ready, have run. */
function continuations(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
