import { DATATYPE_TRAITS, viewElements } from '@quern/contract';
import type { RawTensor } from './ort-tensors.ts';

/** Kernels of different batch sizes round differently; a mix-up of rows is far beyond this. */
const RELATIVE_TOLERANCE = 0.02;

/**
 * Whether both rows of `both` answer as the one row of `alone` did to the same input. A model that
 * normalises over the batch, or one exported with the wrong axis, does not.
 */
export function rowsAnswerAlike(alone: RawTensor | undefined, both: RawTensor): boolean {
  if (alone === undefined) return false;
  const expected = elements(alone);
  const found = elements(both);
  const perRow = found.length / 2;
  // Another extent per row (detections, say) leaves nothing to compare.
  if (expected.length !== perRow) return true;
  const scale = expected.reduce<number>((max, value) => Math.max(max, magnitude(value)), 0);
  return found.every((value, index) => alike(value, expected[index % perRow], scale));
}

function elements(raw: RawTensor): readonly (number | bigint | string)[] {
  if ('strings' in raw) return raw.strings;
  if (raw.datatype === 'BYTES' || DATATYPE_TRAITS[raw.datatype].bytes === 0) return [];
  return Array.from(viewElements(raw.datatype, raw.bytes) as Iterable<number | bigint>);
}

function magnitude(value: number | bigint | string): number {
  const size = Math.abs(Number(value));
  return Number.isFinite(size) ? size : 0;
}

function alike(
  found: number | bigint | string,
  expected: number | bigint | string | undefined,
  scale: number,
): boolean {
  if (typeof found !== 'number' || typeof expected !== 'number') return found === expected;
  if (Object.is(found, expected) || (Number.isNaN(found) && Number.isNaN(expected))) return true;
  return Math.abs(found - expected) <= RELATIVE_TOLERANCE * scale;
}
