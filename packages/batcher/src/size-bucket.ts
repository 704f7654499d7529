/** Four buckets to an octave: 1, 2, 3, ... 8, 10, 12, 14, 16, 20, ... are where they begin. */
export function bucketOf(rows: number): number {
  if (!Number.isFinite(rows)) return Number.POSITIVE_INFINITY;
  const octave = Math.floor(Math.log2(rows));
  return octave * 4 + Math.floor((rows / 2 ** octave - 1) * 4);
}
