import { isKnown, ProbePlan } from './probe-plan.ts';
import { RunTimeCell } from './run-time-cell.ts';

/** A batch size and how long a batch of that size takes, e.g. measured at warm-up. */
export interface RunSample {
  readonly rows: number;
  readonly timeMs: number;
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

/**
 * How long batches take by their size: what one instance is busy for, overheads included. It need
 * not be linear or monotone. Sizes are kept in cells, four to an octave (1 to 8 each have their
 * own); between the cells that are known it is read off a straight line.
 */
export class RunProfile {
  /** By bucket, ascending. */
  #cells: { readonly bucket: number; readonly cell: RunTimeCell }[] = [];
  readonly #byBucket = new Map<number, RunTimeCell>();
  readonly #probes = new ProbePlan();

  constructor(seed: readonly RunSample[] = []) {
    for (const { rows, timeMs } of seed) {
      if (isSample(rows, timeMs) && !this.#byBucket.has(bucketOf(rows))) {
        this.#addCell(rows, timeMs);
      }
    }
  }

  static fromJSON(snapshot: RunProfileSnapshot): RunProfile {
    return new RunProfile(snapshot.samples);
  }

  toJSON(): RunProfileSnapshot {
    return {
      samples: this.#cells.map(({ cell }) => ({
        rows: cell.meanRows,
        timeMs: cell.timeMs,
        runs: cell.samples,
      })),
    };
  }

  /** Takes note of a run. Times that are not positive numbers (a clock was set) are passed over. */
  observe(rows: number, timeMs: number): void {
    if (!isSample(rows, timeMs)) return;
    const bestPerRowMs = this.#best(Number.POSITIVE_INFINITY)?.cell.perRowMs;
    const cell = this.#byBucket.get(bucketOf(rows)) ?? this.#addCell(rows, timeMs);
    cell.observe(rows, timeMs);
    this.#probes.observed(
      bucketOf(rows),
      timeMs,
      (bestPerRowMs ?? Number.POSITIVE_INFINITY) * rows,
    );
  }

  /** How long a batch of `rows` rows is expected to take; undefined while nothing is known. */
  estimateMs(rows: number): number | undefined {
    let below: RunTimeCell | undefined;
    for (const { cell } of this.#cells) {
      if (cell.meanRows >= rows) {
        if (below === undefined) return cell.timeMs;
        const span = cell.meanRows - below.meanRows;
        const share = span > 0 ? (rows - below.meanRows) / span : 0;
        return below.timeMs + share * (cell.timeMs - below.timeMs);
      }
      below = cell;
    }
    return below === undefined ? undefined : below.perRowMs * rows;
  }

  /**
   * The knee: the smallest size up to `max` whose rows/s are within 2 % of the best. Undefined until
   * a size near `max` has been seen, since until then it may be the best.
   */
  bestSize(max: number): number | undefined {
    const nearMax = this.#byBucket.has(bucketOf(max)) || this.#byBucket.has(bucketOf(max) - 1);
    return nearMax ? this.#knee(max) : undefined;
  }

  /** Of `rows` that wait, fewer than the knee, how many to run at once: mostly all. */
  cutSize(rows: number): number {
    const size = this.#knee(rows);
    const together = this.estimateMs(rows);
    const alone = size === undefined ? undefined : this.estimateMs(size);
    if (size === undefined || together === undefined || alone === undefined) return rows;
    return (alone / size) * (1 + CUT_GAIN) < together / rows ? size : rows;
  }

  /** A size that is worth a try now, to learn whether it is better; see `ProbePlan`. */
  probeSize(max: number): number | undefined {
    if (this.#cells.length === 0) return undefined;
    return this.#probes.next(max, this.#knee(max) ?? max, (size) => this.#runsOf(size));
  }

  /** Says that a batch was formed to try `size` out. */
  probeStarted(size: number): void {
    this.#probes.started(size, bucketOf(size), !isKnown(this.#runsOf(size)));
  }

  #runsOf(size: number): number | undefined {
    return this.#byBucket.get(bucketOf(size))?.samples;
  }

  #knee(max: number): number | undefined {
    const best = this.#best(max);
    if (best === undefined) return undefined;
    for (const { cell } of this.#cells) {
      if (cell.perRowMs * (1 - KNEE_TOLERANCE) <= best.cell.perRowMs) return sizeOf(cell, max);
    }
    return sizeOf(best.cell, max);
  }

  #best(max: number): { readonly cell: RunTimeCell } | undefined {
    let best: { readonly cell: RunTimeCell } | undefined;
    for (const item of this.#cells) {
      if (item.bucket > bucketOf(max)) break;
      if (best === undefined || item.cell.perRowMs < best.cell.perRowMs) best = item;
    }
    return best;
  }

  #addCell(rows: number, timeMs: number): RunTimeCell {
    const cell = new RunTimeCell(rows, timeMs);
    this.#byBucket.set(bucketOf(rows), cell);
    this.#cells.push({ bucket: bucketOf(rows), cell });
    this.#cells.sort((a, b) => a.bucket - b.bucket);
    return cell;
  }
}

function sizeOf(cell: RunTimeCell, max: number): number {
  return Math.max(1, Math.min(max, Math.round(cell.meanRows)));
}

function isSample(rows: number, timeMs: number): boolean {
  return rows >= 1 && Number.isFinite(rows) && timeMs > 0 && Number.isFinite(timeMs);
}

/** Four buckets to an octave: 1, 2, 3, ... 8, 10, 12, 14, 16, 20, ... are where they begin. */
function bucketOf(rows: number): number {
  if (!Number.isFinite(rows)) return Number.POSITIVE_INFINITY;
  const octave = Math.floor(Math.log2(rows));
  return octave * 4 + Math.floor((rows / 2 ** octave - 1) * 4);
}
