import { MachineSpeed } from './machine-speed.ts';
import { isKnown, ProbePlan, type SizeKnowledge } from './probe-plan.ts';
import { QUIET_SPREAD, RunTimeCell } from './run-time-cell.ts';
import { ShapeCheck } from './shape-check.ts';
import { bucketOf } from './size-bucket.ts';

/** A batch size and how long a batch of that size takes, e.g. measured at warm-up. */
export interface RunSample {
  readonly rows: number;
  readonly timeMs: number;
  /**
   * How many runs it was learnt from.
   *
   * @default 1
   */
  readonly runs?: number;
}

/** A profile as it is stored. */
export interface RunProfileSnapshot {
  /** By rising rows; `runs` were observed since the profile was made, beyond what it started from. */
  readonly samples: readonly (RunSample & { readonly runs?: number })[];
}

/** Of the sizes whose rows/s are within this share of the best, the smallest is chosen. */
const KNEE_TOLERANCE = 0.02;

/** A waiting group is cut to a smaller batch only if that is faster by this share. */
const CUT_GAIN = 0.1;

/** How many standard errors a size may be better than it seems, to be worth a closer look. */
const OPTIMISM_ERRORS = 2;

/** How much better a size may be that was run less often than `REFERENCE_RUNS`. */
const FEW_RUNS_OPTIMISM = 0.3;

/** How many standard errors worse than it seems a size is taken to be. */
const CAUTION_ERRORS = 1;

/** A smaller size is preferred only if its runs are shorter than this share of those of the best size. */
const MUCH_SHORTER = 0.75;

/** Where a deadline is near, a smaller size is chosen that is worse by this share at most. */
const PROMPT_TOLERANCE = 0.01;

/** A size that was run this often tells the machine's speed, and no longer its own time by it. */
const REFERENCE_RUNS = 8;

/** Between two runs of known sizes that differ by more than this, the machine changed its speed. */
const STEADY_FACTOR = 1.4;

/** Expectations that the first runs are off by this factor either way are worth nothing. */
const WORTHLESS_FACTOR = 4;
const FIRST_RUNS = 3;

/** If all runs are so much slower or faster than before, the neighbours of the best size are tried soon. */
const CHANGED_FACTOR = 1.5;

/** If so much, it is another model for all that is known, and the other sizes are learnt anew. */
const OTHER_MODEL_FACTOR = 6;

/**
 * How long batches take by their size: what one instance is busy for, overheads included. It need
 * not be linear or monotone. Sizes are kept in cells, four to an octave (1 to 8 each have their
 * own); between the cells that are known it is read off a straight line.
 *
 * What is kept is the shape, times at the speed the machine had at first; `MachineSpeed` says what it
 * is now. Runs at different moments are compared at the same speed that way.
 */
export class RunProfile {
  /** By bucket, ascending. */
  #cells: { readonly bucket: number; readonly cell: RunTimeCell }[] = [];
  readonly #byBucket = new Map<number, RunTimeCell>();
  readonly #probes = new ProbePlan();
  readonly #speed = new MachineSpeed();
  readonly #shape = new ShapeCheck();
  #runs = 0;
  /** Runs of sizes that were tried, until another run shows that the speed has not changed since. */
  readonly #tries: {
    readonly cell: RunTimeCell;
    readonly rows: number;
    readonly timeMs: number;
    readonly speed: number;
  }[] = [];
  /** By maximum, since the last run. */
  readonly #bestBelow = new Map<number, RunTimeCell>();
  #spread: number | undefined;
  /** The speed when the sizes were last compared. */
  #comparedAtSpeed = 1;

  readonly #batchOverheadMs: number;

  /** @param batchOverheadMs What a batch costs its host beyond the time of its instance; see `#rowCostMs`. */
  constructor(seed: readonly RunSample[] = [], batchOverheadMs = 0) {
    this.#batchOverheadMs = batchOverheadMs;
    for (const { rows, timeMs, runs = 1 } of seed) {
      if (isSample(rows, timeMs) && !this.#byBucket.has(bucketOf(rows))) {
        this.#addCell(rows, timeMs, Math.max(1, runs));
      }
    }
  }

  static fromJSON(snapshot: RunProfileSnapshot, batchOverheadMs = 0): RunProfile {
    return new RunProfile(snapshot.samples, batchOverheadMs);
  }

  toJSON(): RunProfileSnapshot {
    return {
      samples: this.#cells.map(({ cell }) => ({
        rows: cell.meanRows,
        timeMs: this.#timeMs(cell),
        runs: cell.runs,
      })),
    };
  }

  /** Takes note of a run. Times that are not positive numbers (a clock was set) are passed over. */
  observe(rows: number, timeMs: number): void {
    if (!isSample(rows, timeMs)) return;
    this.#learn(rows, timeMs);
    this.#bestBelow.clear();
    this.#spread = undefined;
  }

  #learn(rows: number, timeMs: number): void {
    const cell = this.#byBucket.get(bucketOf(rows));
    // One slow run says nothing of what a size costs that is known.
    const usualMs = cell === undefined || cell.runs < 2 ? timeMs : this.#timeMs(cell);
    const lostMs = Math.max(0, Math.min(timeMs, usualMs) - this.#timeAtBestMs(rows));
    const wasTry = this.#probes.observed(bucketOf(rows), timeMs, lostMs);
    if (cell === undefined) {
      const perRowMs = timeMs / rows / this.#speed.factor;
      this.#addCell(rows, perRowMs * rows, 0).observe(rows, perRowMs);
    } else if (wasTry && this.#hasReferenceBeside(cell)) {
      this.#tries.push({ cell, rows, timeMs, speed: this.#speed.factor });
    } else if (cell.runs >= REFERENCE_RUNS || !this.#hasReferenceBeside(cell)) {
      this.#observeReference(cell, rows, timeMs);
    } else {
      cell.observe(rows, timeMs / rows / this.#speed.factor);
    }
  }

  /** How long a batch of `rows` rows is expected to take; undefined while nothing is known. */
  estimateMs(rows: number): number | undefined {
    let below: RunTimeCell | undefined;
    for (const { cell } of this.#cells) {
      if (cell.meanRows >= rows) {
        if (below === undefined) return this.#timeMs(cell);
        const span = cell.meanRows - below.meanRows;
        const share = span > 0 ? (rows - below.meanRows) / span : 0;
        const belowMs = this.#timeMs(below);
        return belowMs + share * (this.#timeMs(cell) - belowMs);
      }
      below = cell;
    }
    return below === undefined ? undefined : below.perRowMs * rows * this.#speed.factor;
  }

  /** Whether run times on this machine were seen, and not only expected. */
  get certain(): boolean {
    return this.#runs >= FIRST_RUNS;
  }

  /** How far runs spread around the estimate, as a share of it (one standard deviation). */
  get spread(): number {
    return this.#usualSpread();
  }

  /**
   * The knee: the smallest size up to `max` whose cost per row is within 2 % of the best. Undefined until
   * a size near `max` has been seen, since until then it may be the best.
   */
  bestSize(max: number): number | undefined {
    const nearMax = this.#byBucket.has(bucketOf(max)) || this.#byBucket.has(bucketOf(max) - 1);
    return nearMax ? this.#knee(max) : undefined;
  }

  /** The smallest size up to `max` that runs about as many rows/s as the best one. */
  promptSize(max: number): number {
    const best = this.#best(max);
    if (best === undefined) return max;
    const error = best.error(this.#usualSpread());
    const limitMs = this.#rowCostMs(best, CAUTION_ERRORS * error) / (1 - PROMPT_TOLERANCE);
    const prompt = this.#cells.find(({ cell }) => this.#rowCostMs(cell) <= limitMs);
    if (prompt === undefined) return max;
    return sizeOf(isMuchShorter(prompt.cell, best) ? prompt.cell : best, max);
  }

  /** Of `rows` that wait, fewer than the knee, how many to run at once: mostly all. */
  cutSize(rows: number): number {
    const size = this.#knee(rows);
    const together = this.estimateMs(rows);
    const alone = size === undefined ? undefined : this.estimateMs(size);
    if (size === undefined || together === undefined || alone === undefined) return rows;
    const aloneCostMs = (alone + this.#batchOverheadMs) / size;
    return aloneCostMs * (1 + CUT_GAIN) < (together + this.#batchOverheadMs) / rows ? size : rows;
  }

  /** A size that is worth a try now, to learn whether it is better; see `ProbePlan`. */
  probeSize(max: number): number | undefined {
    if (this.#cells.length === 0) return undefined;
    const best = this.#best(max);
    return this.#probes.next(max, this.#knee(max) ?? max, (size) => this.#knowledge(size, best));
  }

  /** Says that a batch was formed to try `size` out. */
  probeStarted(size: number): void {
    this.#probes.started(size, !isKnown(this.#knowledge(size, undefined)));
  }

  /** Says that a batch of the size could not be formed. */
  probeFailed(size: number): void {
    this.#probes.failed(size);
  }

  #knowledge(size: number, best: RunTimeCell | undefined): SizeKnowledge | undefined {
    const cell = this.#byBucket.get(bucketOf(size));
    if (cell === undefined) return undefined;
    const error = OPTIMISM_ERRORS * cell.error(this.#usualSpread());
    const optimism = Math.max(error, cell.weight < REFERENCE_RUNS ? FEW_RUNS_OPTIMISM : 0);
    const mayBeBest =
      best !== undefined &&
      cell !== best &&
      this.#rowCostMs(cell, -optimism) < this.#rowCostMs(best);
    return { runs: cell.runs, doubtful: mayBeBest || cell.surprised };
  }

  /**
   * The best size by what is certain. A smaller one that is as good is preferred, as it makes nobody
   * wait longer, but only once it is certain that it is as good.
   */
  #knee(max: number): number | undefined {
    const best = this.#best(max);
    return best === undefined ? undefined : sizeOf(this.#smallestAsGood(best), max);
  }

  #smallestAsGood(best: RunTimeCell): RunTimeCell {
    const usualSpread = this.#usualSpread();
    const limitMs = this.#rowCostMs(best) / (1 - KNEE_TOLERANCE);
    for (const { cell } of this.#cells) {
      if (cell === best) break;
      if (!isMuchShorter(cell, best)) continue;
      const error = cell.error(usualSpread);
      if (this.#rowCostMs(cell, CAUTION_ERRORS * error) <= limitMs) return cell;
    }
    return best;
  }

  /** The cell with the lowest cost per row, by what is certain: none must seem best by luck. */
  #best(max: number): RunTimeCell | undefined {
    const cached = this.#bestBelow.get(max);
    if (cached !== undefined) return cached;
    const best = this.#findBest(max);
    if (best !== undefined) this.#bestBelow.set(max, best);
    return best;
  }

  #findBest(max: number): RunTimeCell | undefined {
    const usualSpread = this.#usualSpread();
    let best: RunTimeCell | undefined;
    let leastMs = Number.POSITIVE_INFINITY;
    for (const { bucket, cell } of this.#cells) {
      if (bucket > bucketOf(max)) break;
      const costMs = this.#rowCostMs(cell, CAUTION_ERRORS * cell.error(usualSpread));
      if (costMs < leastMs) [best, leastMs] = [cell, costMs];
    }
    return best;
  }

  /**
   * What a row costs in a batch of that size, with a run time that is off by a share `error`. The host
   * forms a batch, sends it, takes it apart and writes its results together: where runs are short and
   * there are many a second, that is time too.
   */
  #rowCostMs(cell: RunTimeCell, error = 0): number {
    return cell.perRowMs * (1 + error) + this.#batchOverheadMs / cell.meanRows;
  }

  #timeMs(cell: RunTimeCell): number {
    return cell.perRowMs * cell.meanRows * this.#speed.factor;
  }

  #observeReference(cell: RunTimeCell, rows: number, timeMs: number): void {
    const before = this.#speed.factor;
    const wrong = this.#shape.observe(cell, timeMs / (cell.perRowMs * rows));
    if (wrong !== undefined) cell.scale(wrong);
    const ratio = timeMs / (cell.perRowMs * rows);
    this.#speed.observe(ratio);
    this.#runs += 1;
    if (this.#runs === FIRST_RUNS && awayFromOne(this.#speed.factor) > WORTHLESS_FACTOR) {
      this.#keepOnly(cell);
    }
    const { factor } = this.#speed;
    // While the speed changes a known size tells the speed; later it tells its own time again.
    if (cell.runs < REFERENCE_RUNS || awayFromOne(ratio / factor) < STEADY_FACTOR) {
      cell.observe(rows, timeMs / rows / factor);
    }
    for (const tried of this.#tries.splice(0)) {
      if (awayFromOne(ratio / tried.speed) < STEADY_FACTOR) {
        tried.cell.observe(tried.rows, tried.timeMs / tried.rows / Math.sqrt(before * factor));
      }
    }
    this.#noteChange(cell);
  }

  #hasReferenceBeside(cell: RunTimeCell): boolean {
    return this.#cells.some((item) => item.cell !== cell && item.cell.runs >= REFERENCE_RUNS);
  }

  /** What the rows take at the best rate known; Infinity while nothing is known. */
  #timeAtBestMs(rows: number): number {
    const best = this.#best(Number.POSITIVE_INFINITY);
    return best === undefined
      ? Number.POSITIVE_INFINITY
      : best.perRowMs * this.#speed.factor * rows;
  }

  /** How far apart the runs of the size are that is known best. */
  #usualSpread(): number {
    this.#spread ??= this.#findUsualSpread();
    return this.#spread;
  }

  #findUsualSpread(): number {
    let most: RunTimeCell | undefined;
    for (const { cell } of this.#cells) {
      if (cell.runs >= REFERENCE_RUNS && cell.runs > (most?.runs ?? 0)) most = cell;
    }
    return most?.spread ?? QUIET_SPREAD;
  }

  #noteChange(cell: RunTimeCell): void {
    const { factor } = this.#speed;
    const change = awayFromOne(factor / this.#comparedAtSpeed);
    if (change < CHANGED_FACTOR) return;
    this.#comparedAtSpeed = factor;
    if (change > OTHER_MODEL_FACTOR) this.#keepOnly(cell);
    this.#probes.watchSoon();
  }

  #keepOnly(cell: RunTimeCell): void {
    this.#cells = this.#cells.filter((item) => item.cell === cell);
    this.#byBucket.clear();
    for (const item of this.#cells) this.#byBucket.set(item.bucket, item.cell);
  }

  #addCell(rows: number, timeMs: number, priorRuns: number): RunTimeCell {
    const cell = new RunTimeCell(rows, timeMs, priorRuns);
    this.#byBucket.set(bucketOf(rows), cell);
    this.#cells.push({ bucket: bucketOf(rows), cell });
    this.#cells.sort((a, b) => a.bucket - b.bucket);
    return cell;
  }
}

function isMuchShorter(cell: RunTimeCell, best: RunTimeCell): boolean {
  return cell.perRowMs * cell.meanRows <= MUCH_SHORTER * best.perRowMs * best.meanRows;
}

function sizeOf(cell: RunTimeCell, max: number): number {
  return Math.max(1, Math.min(max, Math.round(cell.meanRows)));
}

function isSample(rows: number, timeMs: number): boolean {
  return rows >= 1 && Number.isFinite(rows) && timeMs > 0 && Number.isFinite(timeMs);
}

/** 2 for twice as much and for half of it. */
function awayFromOne(ratio: number): number {
  return Math.max(ratio, 1 / ratio);
}
