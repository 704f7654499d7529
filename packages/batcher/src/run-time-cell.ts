/** How many of the last runs the median is taken of. */
const WINDOW_RUNS = 5;

/** The weight of the newest median once the window is full. */
const NEWEST_WEIGHT = 0.3;

/**
 * What is known of the run time of batches of about the same size. An exponentially weighted mean of
 * the median of the last runs: a single slow run changes nothing, a lasting change shows after three.
 */
export class RunTimeCell {
  #meanRows: number;
  #perRowMs: number;
  #samples = 0;
  readonly #window: number[] = [];
  #oldest = 0;

  /** Starts from an expectation, which the first real run replaces. */
  constructor(rows: number, timeMs: number) {
    this.#meanRows = rows;
    this.#perRowMs = timeMs / rows;
  }

  /** How many runs were observed, beyond the expectation that it started from. */
  get samples(): number {
    return this.#samples;
  }

  get meanRows(): number {
    return this.#meanRows;
  }

  get perRowMs(): number {
    return this.#perRowMs;
  }

  /** The run time at `meanRows`. */
  get timeMs(): number {
    return this.#perRowMs * this.#meanRows;
  }

  observe(rows: number, timeMs: number): void {
    this.#samples += 1;
    const first = this.#samples === 1;
    this.#meanRows = first ? rows : this.#meanRows + NEWEST_WEIGHT * (rows - this.#meanRows);
    this.#window[this.#oldest] = timeMs / rows;
    this.#oldest = (this.#oldest + 1) % WINDOW_RUNS;
    const median = lowerMedian(this.#window);
    this.#perRowMs =
      this.#samples <= WINDOW_RUNS
        ? median
        : this.#perRowMs + NEWEST_WEIGHT * (median - this.#perRowMs);
  }
}

/** Of an even number the lower of the middle two: of two runs the faster, as first runs are slow. */
function lowerMedian(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[(sorted.length - 1) >> 1] ?? Number.NaN;
}
