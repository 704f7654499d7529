import type { Clock } from './clock.ts';

/** Calls one function soon, and at one time that is named anew each time; the only timer there is. */
export class WakeUp {
  readonly #clock: Clock;
  readonly #fn: () => void;
  #isSoon = false;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #cancelTimer: (() => void) | undefined;

  constructor(clock: Clock, fn: () => void) {
    this.#clock = clock;
    this.#fn = fn;
  }

  /** Calls it in this turn of the event loop, once. */
  soon(): void {
    if (this.#isSoon) return;
    this.#isSoon = true;
    this.#clock.soon(this.#onSoon);
  }

  /**
   * Calls it at this time instead of the one named before; Infinity: not at all. A timer that is set
   * for earlier is kept, as a call too early does no harm and setting timers costs.
   */
  at(atMs: number): void {
    if (atMs === Number.POSITIVE_INFINITY) {
      this.cancel();
    } else if (atMs < this.#timerAtMs) {
      this.cancel();
      this.#timerAtMs = atMs;
      this.#cancelTimer = this.#clock.setTimer(atMs, this.#onTimer);
    }
  }

  /** Ends the timer. */
  cancel(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#timerAtMs = Number.POSITIVE_INFINITY;
  }

  readonly #onSoon = (): void => {
    this.#isSoon = false;
    this.#fn();
  };

  readonly #onTimer = (): void => {
    this.#cancelTimer = undefined;
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    this.#fn();
  };
}
