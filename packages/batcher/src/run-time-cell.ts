/** How many of the last runs an estimate is made from. */
const WINDOW_RUNS = 64;

/** What earlier knowledge counts for, in runs, at most. */
const MAX_PRIOR_RUNS = 5;

/** The spread of a quiet machine, and what the spread of other sizes counts for, in runs. */
export const QUIET_SPREAD = 0.04;
const PRIOR_SPREAD_RUNS = 4;

/** The spread of what no run has confirmed: it was measured elsewhere, or in a warm-up. */
const UNCONFIRMED_SPREAD = 0.15;
const CONFIRMING_RUNS = 2;

/** A run is surprising beyond this share of the estimate, or this many times the spread. */
const SURPRISE_SHARE = 0.15;
const SURPRISE_SPREADS = 4;

/** After so many surprising runs in a row, all to one side, what was known before is forgotten. */
const SURPRISES_TO_FORGET = 3;

/**
 * What is known of the time per row in batches of about the same size: the mean of the middle half of
 * the last runs, so that slow outliers change nothing. Three runs in a row that are all far to one side
 * mean that something has changed, and are believed alone.
 */
export class RunTimeCell {
  #meanRows: number;
  #runs = 0;
  /** Times per row, oldest first. */
  #window: number[];
  #perRowMs: number;
  #spread = 0;
  #surprises = 0;

  /** Starts from what is expected, which counts as `priorRuns` runs, at most 5. */
  constructor(rows: number, timeMs: number, priorRuns: number) {
    this.#meanRows = rows;
    this.#perRowMs = timeMs / rows;
    const copies = Math.max(0, Math.min(MAX_PRIOR_RUNS, Math.floor(priorRuns)));
    this.#window = Array(copies).fill(this.#perRowMs);
  }

  /** How many runs were observed, beyond the expectation that it started from. */
  get runs(): number {
    return this.#runs;
  }

  get meanRows(): number {
    return this.#meanRows;
  }

  get perRowMs(): number {
    return this.#perRowMs;
  }

  /** The last run, or the last few, were far from the estimate. */
  get surprised(): boolean {
    return this.#surprises !== 0;
  }

  /** How many runs the estimate is made from. */
  get weight(): number {
    return this.#window.length;
  }

  /** How far the runs are apart, as a share of the estimate. */
  get spread(): number {
    return this.#spread;
  }

  /** The standard error of the estimate, as a share of it, on a machine where runs usually spread so. */
  error(usualSpread: number): number {
    const { length } = this.#window;
    const squares = PRIOR_SPREAD_RUNS * usualSpread ** 2 + length * this.#spread ** 2;
    const spread = Math.sqrt(squares / (PRIOR_SPREAD_RUNS + length));
    const least = this.#runs < CONFIRMING_RUNS ? UNCONFIRMED_SPREAD : 0;
    return Math.max(spread, least) / Math.sqrt(Math.max(1, length));
  }

  observe(rows: number, perRowMs: number): void {
    this.#runs += 1;
    const weight = Math.max(1 / this.#runs, 0.3);
    this.#meanRows += weight * (rows - this.#meanRows);
    this.#countSurprise(perRowMs / this.#perRowMs - 1);
    this.#window.push(perRowMs);
    if (this.#window.length > WINDOW_RUNS) this.#window.shift();
    if (Math.abs(this.#surprises) >= SURPRISES_TO_FORGET) {
      this.#window = this.#window.slice(-SURPRISES_TO_FORGET);
      this.#surprises = 0;
    }
    this.#estimate();
  }

  /** Corrects what is known by a factor. */
  scale(factor: number): void {
    this.#window = this.#window.map((perRowMs) => perRowMs * factor);
    this.#perRowMs *= factor;
    this.#surprises = 0;
  }

  #countSurprise(deviation: number): void {
    const limit = Math.max(SURPRISE_SHARE, SURPRISE_SPREADS * this.#spread);
    const direction = Math.sign(deviation);
    if (Math.abs(deviation) <= limit) this.#surprises = 0;
    else if (Math.sign(this.#surprises) === -direction) this.#surprises = direction;
    else this.#surprises += direction;
  }

  #estimate(): void {
    const sorted = this.#window.toSorted((a, b) => a - b);
    const [low, high] = middleHalf(sorted.length);
    let sum = 0;
    for (const value of sorted.slice(low, high)) sum += value;
    this.#perRowMs = sum / (high - low);
    const quartiles = (sorted[high - 1] ?? 0) - (sorted[low] ?? 0);
    this.#spread = quartiles / 1.35 / this.#perRowMs;
  }
}

/** The middle half of so many sorted values; of few the lower ones, as first runs are slow. */
function middleHalf(length: number): [number, number] {
  if (length <= 2) return [0, 1];
  const low = Math.floor(length / 4);
  return [low, Math.max(low + 1, length - Math.ceil(length / 4))];
}
