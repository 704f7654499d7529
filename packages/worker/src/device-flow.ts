/** A model that ended a run so recently may only be fetching what it runs next. */
const GAP_MS = 3;
/** After so long with nothing to run, a model is owed nothing for the time before. */
const MEMORY_MS = 100;

/**
 * One model on one device: the time that it has used there, by its weight. This is its place on the
 * device's virtual time; the flow that is furthest behind goes first.
 * `Seat` is what stands for one of its batchers.
 */
export class DeviceFlow<Seat> {
  readonly weight: number;
  /** Those that would run now; in the order in which they came. */
  readonly waiting = new Set<Seat>();
  waitingSinceMs = 0;
  /** It was patient once, and need not be again until a run of another ends. */
  runsBeside = false;
  #turns = 0;
  /** What its turns take of the device at a time. */
  #units = 0;
  #usedMs = 0;
  #chargedAtMs = 0;
  #endedAtMs = Number.NEGATIVE_INFINITY;
  /** What a run used last, as far as it is known. */
  #lastRunMs = 0;

  constructor(weight: number) {
    this.weight = weight;
  }

  get isRunning(): boolean {
    return this.#turns > 0;
  }

  get isBusy(): boolean {
    return this.isRunning || this.waiting.size > 0;
  }

  /** With what runs now, up to this time. */
  usedMs(nowMs: number): number {
    return this.#usedMs + this.rate * Math.max(0, nowMs - this.#chargedAtMs);
  }

  /** What it will have used when the current runs have ended, if they are like the last one. */
  expectedUseMs(nowMs: number): number {
    return Math.max(this.usedMs(nowMs), this.#usedMs + this.#turns * this.#lastRunMs);
  }

  /** How fast `usedMs` grows. */
  get rate(): number {
    return this.#units / this.weight;
  }

  /** Until when it is to be reckoned with, though it has nothing to run just now. */
  get gapEndsAtMs(): number {
    return this.isBusy ? Number.NEGATIVE_INFINITY : this.#endedAtMs + GAP_MS;
  }

  /** Where it stood when its current run began, which is where newcomers join. */
  get startedAtUseMs(): number {
    return this.#usedMs;
  }

  /** What it did not use while it had nothing to run is not owed to it. */
  join(usedMs: number, nowMs: number): void {
    if (this.isBusy || nowMs < this.#endedAtMs + MEMORY_MS) return;
    this.#usedMs = Math.max(this.#usedMs, usedMs);
  }

  started(units: number, nowMs: number): void {
    if (!this.isRunning) this.#chargedAtMs = nowMs;
    this.#turns += 1;
    this.#units += units;
  }

  charge(units: number, deviceMs: number, nowMs: number): void {
    this.#lastRunMs = (units * deviceMs) / this.weight;
    this.#usedMs += this.#lastRunMs;
    this.#chargedAtMs = nowMs;
  }

  ended(units: number, nowMs: number): void {
    this.#endedAtMs = nowMs;
    this.#turns -= 1;
    this.#units -= units;
  }
}
