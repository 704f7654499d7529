import { bucketOf } from './size-bucket.ts';

/**
 * Which batch size to try out next, and when. A size that is never run is never known, so the best
 * one could be missed; yet each try of a bad size costs time. Three reasons for a try, in this order:
 *
 * - survey: powers of two up to the maximum, and the maximum, that have not been run twice, the one
 *   farthest from all known ones first. Tries may cost a fifth of the time.
 * - doubt: a size that may be the best, for all that is certain, or that surprised the last time.
 * - watch: the neighbours of the best size, when they have not been run for long.
 *
 * Tries of the last two kinds may cost 1 % of the time. What a try costs is the time it took beyond
 * what its rows take at the best rate. That is a debt, paid off by a share of the time of each run;
 * while there is a debt nothing is tried. So a size that is about as good as the best costs nothing and
 * is soon known well, and a bad one is tried rarely.
 */

const SURVEY_SHARE = 0.2;
const WATCH_SHARE = 0.01;

/** A size seen this often is known. */
const KNOWN_RUNS = 2;

/** A size that could not be formed this often (entries of several rows) is given up. */
const MAX_ATTEMPTS = 4;

/** Batches between two tries out of doubt. */
const DOUBT_INTERVAL_RUNS = 4;

/** Batches after which a neighbour is tried again. */
const WATCH_INTERVAL_RUNS = 200;

/** Tries at a time: one may run and one be prefetched. */
const MAX_UNDER_WAY = 2;

/** A try whose batch was not observed within so many others is taken for lost. */
const LOST_AFTER_RUNS = 16;

export interface SizeKnowledge {
  /** The runs observed; 0 if only an expectation is known. */
  readonly runs: number;
  /** It may be better than it seems. */
  readonly doubtful: boolean;
}

/** Undefined for a size of which nothing is known. */
type Knowledge = (size: number) => SizeKnowledge | undefined;

export class ProbePlan {
  #runs = 0;
  #debtMs = 0;
  #surveying = true;
  #lastDoubtAtRun = 0;
  #neverWatchedAtRun = 0;
  /** By bucket. */
  readonly #underWay = new Map<number, { readonly size: number; readonly sinceRun: number }>();
  readonly #attempts = new Map<number, number>();
  readonly #watchedAtRun = new Map<number, number>();

  /** The size to try, if it is time to try one. Does not change the plan. */
  next(max: number, best: number, knowledge: Knowledge): number | undefined {
    const sizes = this.#sizesUnderWay();
    if (this.#debtMs > 0 || sizes.length >= MAX_UNDER_WAY) return undefined;
    const unknown = this.#farthestUnknown(max, sizes, knowledge);
    if (unknown !== undefined) return unknown;
    if (sizes.length > 0) return undefined;
    return this.#doubtful(max, best, knowledge) ?? this.#neighbourToWatch(max, best);
  }

  /** `survey` says that nothing, or too little, was known of the size. */
  started(size: number, survey: boolean): void {
    this.#surveying = survey;
    this.#underWay.set(bucketOf(size), { size, sinceRun: this.#runs });
    this.#attempts.set(size, (this.#attempts.get(size) ?? 0) + 1);
    this.#watchedAtRun.set(size, this.#runs);
    this.#lastDoubtAtRun = this.#runs;
  }

  /** The size could not be formed, e.g. for entries of several rows. */
  failed(size: number): void {
    this.#attempts.set(size, (this.#attempts.get(size) ?? 0) + 1);
    this.#watchedAtRun.set(size, this.#runs);
    this.#lastDoubtAtRun = this.#runs;
  }

  /** `lostMs` is the time beyond what the same rows take at the best rate. True if the run was a try. */
  observed(bucket: number, timeMs: number, lostMs: number): boolean {
    this.#runs += 1;
    const share = this.#surveying ? SURVEY_SHARE : WATCH_SHARE;
    this.#debtMs = Math.max(0, this.#debtMs - timeMs * share);
    if (!this.#underWay.delete(bucket)) return false;
    this.#debtMs += lostMs;
    return true;
  }

  /** Has the neighbours of the best size tried as soon as there is no debt, and gives all sizes a chance. */
  watchSoon(): void {
    this.#attempts.clear();
    this.#watchedAtRun.clear();
    this.#neverWatchedAtRun = this.#runs - WATCH_INTERVAL_RUNS;
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
    knowledge: Knowledge,
  ): number | undefined {
    const grid = powersOfTwoUpTo(max);
    const known = grid.filter((size) => isKnown(knowledge(size)) || underWay.includes(size));
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

  /** Of the doubtful sizes the one that was run least. */
  #doubtful(max: number, best: number, knowledge: Knowledge): number | undefined {
    if (this.#runs - this.#lastDoubtAtRun < DOUBT_INTERVAL_RUNS) return undefined;
    let chosen: number | undefined;
    let fewestRuns = Number.POSITIVE_INFINITY;
    for (const size of [...powersOfTwoUpTo(max), ...neighbours(best, max)]) {
      const known = knowledge(size);
      if (known === undefined || !known.doubtful || bucketOf(size) === bucketOf(best)) continue;
      if (known.runs < fewestRuns) [chosen, fewestRuns] = [size, known.runs];
    }
    return chosen;
  }

  #neighbourToWatch(max: number, best: number): number | undefined {
    let longestAgo: number | undefined;
    let atRun = this.#runs - WATCH_INTERVAL_RUNS;
    for (const size of neighbours(best, max)) {
      const watchedAtRun = this.#watchedAtRun.get(size) ?? this.#neverWatchedAtRun;
      if (watchedAtRun <= atRun) [longestAgo, atRun] = [size, watchedAtRun];
    }
    return longestAgo;
  }
}

/** Expectations count as known: a run of the size will correct them, if it is ever chosen. */
export function isKnown(knowledge: SizeKnowledge | undefined): boolean {
  return knowledge !== undefined && (knowledge.runs === 0 || knowledge.runs >= KNOWN_RUNS);
}

/** Of a size just below the maximum that is the maximum: what it was once measured as may be wrong, too. */
function neighbours(best: number, max: number): number[] {
  const sizes = [2, 0.5, 1.5, 0.75].map((factor) => Math.min(max, Math.round(best * factor)));
  return [...new Set(sizes)].filter((size) => size >= 1 && bucketOf(size) !== bucketOf(best));
}

function powersOfTwoUpTo(max: number): number[] {
  const sizes: number[] = [];
  for (let size = 1; size < max; size *= 2) sizes.push(size);
  sizes.push(max);
  return sizes;
}
