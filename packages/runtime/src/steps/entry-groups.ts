import {
  formatLane,
  inputBatchAxis,
  type LanePart,
  type ModelSignature,
  type PaddedAxis,
  parseLane,
} from '@quern/contract';

/** Entries that share a run. */
export interface EntryGroup<T> {
  readonly members: readonly T[];
  /** What they are padded to; missing where their shapes are equal as they are. */
  readonly lane?: string;
}

/**
 * Sorts entries into runs by their exact lanes. Where a model pads, lengths meet in the listed bucket
 * that holds them; with `auto` in the power of two that does, and are padded to the longest of them: so
 * at most half of a row is padding, and there are few runs whatever comes together.
 */
export function groupEntries<T extends { readonly lane: string }>(
  entries: readonly T[],
  signature: ModelSignature,
): EntryGroup<T>[] {
  const { padding } = signature;
  const byLane = new Map<string, T[]>();
  for (const entry of entries) {
    const key = padding === undefined ? entry.lane : bucketLane(entry.lane, signature, bucketOf);
    byLane.set(key, [...(byLane.get(key) ?? []), entry]);
  }
  if (padding === undefined) return [...byLane.values()].map((members) => ({ members }));
  return [...byLane].map(([lane, members]) => ({
    members,
    lane: trimmed(lane, members, signature),
  }));
}

type BucketOf = (axis: PaddedAxis, length: number) => number;

function bucketOf({ buckets, max }: PaddedAxis, length: number): number {
  if (Array.isArray(buckets)) return buckets.find((bucket) => bucket >= length) ?? length;
  if (max !== undefined && length > max) return length;
  return Math.min(max ?? Number.POSITIVE_INFINITY, 2 ** Math.ceil(Math.log2(Math.max(1, length))));
}

/** The lane with its learnt lengths cut to the longest of the members. */
function trimmed(
  lane: string,
  members: readonly { readonly lane: string }[],
  signature: ModelSignature,
): string {
  const own = members.map((member) => parseLane(member.lane));
  const longest = (axis: PaddedAxis, padded: number): number => {
    if (axis.buckets !== 'auto') return padded;
    const { part, position } = placeOf(axis, signature);
    return Math.max(...own.map((parts) => parts[part]?.extents[position] ?? 0));
  };
  return bucketLane(lane, signature, longest);
}

/** A lane with the extents of its padded axes replaced; those that are like another one follow it. */
function bucketLane(lane: string, signature: ModelSignature, lengthFor: BucketOf): string {
  const parts = parseLane(lane).map((part) => ({ ...part, extents: [...part.extents] }));
  const axes = signature.padding?.axes ?? [];
  for (const axis of axes) {
    if (axis.like !== undefined) continue;
    setExtent(parts, placeOf(axis, signature), (length) => lengthFor(axis, length));
  }
  for (const axis of axes) {
    if (axis.like === undefined) continue;
    const { part, position } = placeOf(axis.like, signature);
    const followed = parts[part]?.extents[position];
    setExtent(parts, placeOf(axis, signature), (length) => followed ?? length);
  }
  return formatLane(parts);
}

interface LanePlace {
  readonly part: number;
  readonly position: number;
}

function setExtent(
  parts: readonly (LanePart & { extents: number[] })[],
  { part, position }: LanePlace,
  lengthFor: (length: number) => number,
): void {
  const extents = parts[part]?.extents;
  const length = extents?.[position];
  if (extents !== undefined && length !== undefined) extents[position] = lengthFor(length);
}

/** Where an axis stands in a lane, which leaves out the batch axis. */
function placeOf(
  { input, axis }: Pick<PaddedAxis, 'input' | 'axis'>,
  signature: ModelSignature,
): LanePlace {
  const part = signature.inputs.findIndex(({ name }) => name === input);
  const rows = inputBatchAxis(signature, part);
  return { part, position: rows !== null && axis > rows ? axis - 1 : axis };
}
