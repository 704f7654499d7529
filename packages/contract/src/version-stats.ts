import { z } from 'zod';

/** Upper bounds of the histogram of batch sizes, in rows; one more bucket takes what is larger. */
export const BATCH_ROWS_BOUNDS: readonly number[] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];

/** The steps of a batch that are timed, in their order. */
export const BATCH_PHASES = ['queue', 'collate', 'inference', 'split', 'store'] as const;
export type BatchPhase = (typeof BATCH_PHASES)[number];

const count = z.number().int().nonnegative();

/**
 * What one version has done: on one worker since it started, or on all live workers together. Counts
 * are totals; ratios and times are means over recent batches. What is zero may be left out of
 * `batchRows` (at its end) and of `reasons`.
 */
export const versionStatsSchema = z.object({
  batches: count,
  rows: count,
  /** Predictions that succeeded. */
  succeeded: count,
  /** Predictions that failed with an error of their own or of the model. */
  failed: count,
  /** Predictions whose deadline came before they ran. */
  expired: count,
  /** Runs made to find the predictions at fault in failed batches. */
  reruns: count,
  /** Predictions refused because their input had killed runners. */
  quarantined: count.default(0),
  /** Runners replaced for their age or memory. */
  recycled: count.default(0),
  /** Batches by rows: the first is up to `BATCH_ROWS_BOUNDS[0]` rows, and so on. */
  batchRows: z.array(count).max(BATCH_ROWS_BOUNDS.length + 1),
  /** Rows over the most that a batch may have. */
  fillRatio: z.number(),
  /** Elements that are padding over all elements of the run. */
  paddingRatio: z.number().default(0),
  /** Milliseconds; `queue` is the mean of a batch's predictions. */
  phasesMs: z.record(z.enum(BATCH_PHASES), z.number()),
  /** Batches by the reason for which they were formed when they were. */
  reasons: z.record(z.string(), count),
});
export type VersionStats = z.infer<typeof versionStatsSchema>;

/** The place in `batchRows` of a batch of so many rows. */
export function batchRowsBucket(rows: number): number {
  const index = BATCH_ROWS_BOUNDS.findIndex((bound) => rows <= bound);
  return index === -1 ? BATCH_ROWS_BOUNDS.length : index;
}

/** The figures of several workers as one: totals are added, means weighed by batches. */
export function mergeVersionStats(parts: readonly VersionStats[]): VersionStats {
  const sum = (pick: (part: VersionStats) => number): number =>
    parts.reduce((total, part) => total + pick(part), 0);
  const batches = sum((part) => part.batches);
  const mean = (pick: (part: VersionStats) => number): number =>
    batches === 0 ? 0 : sum((part) => pick(part) * part.batches) / batches;
  const buckets = Math.max(0, ...parts.map((part) => part.batchRows.length));
  const reasons = [...new Set(parts.flatMap((part) => Object.keys(part.reasons)))].sort();
  return {
    batches,
    rows: sum((part) => part.rows),
    succeeded: sum((part) => part.succeeded),
    failed: sum((part) => part.failed),
    expired: sum((part) => part.expired),
    reruns: sum((part) => part.reruns),
    quarantined: sum((part) => part.quarantined),
    recycled: sum((part) => part.recycled),
    batchRows: Array.from({ length: buckets }, (_, i) => sum((part) => part.batchRows[i] ?? 0)),
    fillRatio: mean((part) => part.fillRatio),
    paddingRatio: mean((part) => part.paddingRatio),
    phasesMs: {
      queue: mean((part) => part.phasesMs.queue),
      collate: mean((part) => part.phasesMs.collate),
      inference: mean((part) => part.phasesMs.inference),
      split: mean((part) => part.phasesMs.split),
      store: mean((part) => part.phasesMs.store),
    },
    reasons: Object.fromEntries(
      reasons.map((reason) => [reason, sum((part) => part.reasons[reason] ?? 0)]),
    ),
  };
}
