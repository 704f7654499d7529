import type { ByteRange } from './blob-store.ts';

/** A range within a blob of this size: what lies beyond its end is left out. */
export function clampRange(
  range: ByteRange | undefined,
  size: number,
): { readonly start: number; readonly end: number } {
  const start = Math.min(Math.max(0, range?.start ?? 0), size);
  const end = Math.min(Math.max(start, range?.end ?? size), size);
  return { start, end };
}
