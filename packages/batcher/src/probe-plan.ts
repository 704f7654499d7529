/**
 * Which batch size to try out next, and when. A size that is never run is never known, so the best
 * one could be missed; yet each try of a bad size costs time. Two stages:
 *
 * - survey: powers of two up to the maximum, and the maximum, that have not been run twice, the one
 *   farthest from all known ones first. Tries may cost a fifth of the time.
 * - watch: the neighbours of the best size, when they have not been run for long. Tries may cost 1 %.
 *
 * What a try costs is the time it took beyond what its rows take at the best rate. That is a debt,
 * paid off by a share of the time of each run; while there is a debt nothing is tried.
 */

const SURVEY_SHARE = 0.2;
const WATCH_SHARE = 0.01;

/** A size seen this often is known. */
const KNOWN_RUNS = 2;

/** A size that could not be formed this often (entries of several rows) is given up. */
const MAX_ATTEMPTS = 4;

/** Batches after which a neighbour is tried again. */
const WATCH_INTERVAL_RUNS = 200;

/** Tries at a time: one may run and one be prefetched. */
const MAX_UNDER_WAY = 2;

/** A try whose batch was not observed within so many others is taken for lost. */
const LOST_AFTER_RUNS = 16;

/** The runs observed of a size; undefined if nothing is known, 0 if only an expectation is. */
type KnownRuns = (size: number) => number | undefined;

export class ProbePlan {
  #runs = 0;
  #debtMs = 0;
  #surveying = true;
  /** By bucket. */
  readonly #underWay = new Map<number, { readonly size: number; readonly sinceRun: number }>();
  readonly #attempts = new Map<number, number>();
  readonly #watchedAtRun = new Map<number, number>();

  /** The size to try, if it is time to try one. Does not change the plan. */
  next(max: number, best: number, knownRuns: KnownRuns): number | undefined {
    const sizes = this.#sizesUnderWay();
    if (this.#debtMs > 0 || sizes.length >= MAX_UNDER_WAY) return undefined;
    const unknown = this.#farthestUnknown(max, sizes, knownRuns);
    if (unknown !== undefined) return unknown;
    return sizes.length === 0 ? this.#neighbourToWatch(max, best) : undefined;
  }

  /** `survey` says that nothing, or too little, was known of the size. */
  started(size: number, bucket: number, survey: boolean): void {
    this.#surveying = survey;
    this.#underWay.set(bucket, { size, sinceRun: this.#runs });
    this.#attempts.set(size, (this.#attempts.get(size) ?? 0) + 1);
    this.#watchedAtRun.set(size, this.#runs);
  }

  /** `expectedMs` is what the same rows take at the best rate known before. */
  observed(bucket: number, timeMs: number, expectedMs: number): void {
    this.#runs += 1;
    const share = this.#surveying ? SURVEY_SHARE : WATCH_SHARE;
    this.#debtMs = Math.max(0, this.#debtMs - timeMs * share);
    if (this.#underWay.delete(bucket)) this.#debtMs += Math.max(0, timeMs - expectedMs);
  }

  #sizesUnderWay(): number[] {
    const sizes: number[] = [];
    for (const { size, sinceRun } of this.#underWay.values()) {
      if (this.#runs - sinceRun < LOST_AFTER_RUNS) sizes.push(size);
    }
    return sizes;
  }

  #farthestUnknown(
    max: number,
    underWay: readonly number[],
    knownRuns: KnownRuns,
  ): number | undefined {
    const grid = powersOfTwoUpTo(max);
    const known = grid.filter((size) => isKnown(knownRuns(size)) || underWay.includes(size));
    let farthest: number | undefined;
    let farthestOctaves = -1;
    for (const size of grid) {
      const attempts = this.#attempts.get(size) ?? 0;
      if (known.includes(size) || attempts >= MAX_ATTEMPTS) continue;
      const octaves = Math.min(...known.map((other) => Math.abs(Math.log2(size / other))), 64);
      if (octaves > farthestOctaves) [farthest, farthestOctaves] = [size, octaves];
    }
    return farthest;
  }

  #neighbourToWatch(max: number, best: number): number | undefined {
    let longestAgo: number | undefined;
    let atRun = this.#runs - WATCH_INTERVAL_RUNS;
    for (const factor of [2, 0.5, 1.5, 0.75]) {
      const size = Math.round(best * factor);
      if (size < 1 || size > max || size === best) continue;
      const watchedAtRun = this.#watchedAtRun.get(size) ?? 0;
      if (watchedAtRun <= atRun) [longestAgo, atRun] = [size, watchedAtRun];
    }
    return longestAgo;
  }
}

/** Expectations count as known: a run of the size will correct them, if it is ever chosen. */
export function isKnown(runs: number | undefined): boolean {
  return runs !== undefined && (runs === 0 || runs >= KNOWN_RUNS);
}

function powersOfTwoUpTo(max: number): number[] {
  const sizes: number[] = [];
  for (let size = 1; size < max; size *= 2) sizes.push(size);
  sizes.push(max);
  return sizes;
}
