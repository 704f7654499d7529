/** Repeated measurements of one thing: the median to quote, and the spread to distrust it by. */
export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly runs: number;
}

export function summarise(values: readonly number[]): Summary {
  if (values.length === 0) throw new Error('nothing was measured');
  const sorted = [...values].sort((a, b) => a - b);
  return {
    median: percentile(sorted, 0.5),
    min: sorted[0] ?? Number.NaN,
    max: sorted.at(-1) ?? Number.NaN,
    runs: sorted.length,
  };
}

/** The value below which a share of sorted values lies; between two values, the lower one. */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** Ratios of runs that were made side by side, so that a machine that slows down slows both. */
export function pairedRatios(ours: readonly number[], theirs: readonly number[]): Summary {
  return summarise(ours.map((value, i) => value / (theirs[i] ?? Number.NaN)));
}
