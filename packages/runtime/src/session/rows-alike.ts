import { type BatchAxis, DATATYPE_TRAITS, elementCount, viewElements } from '@quern/contract';
import type { RawTensor } from './ort-tensors.ts';

/** Kernels of different batch sizes round differently; a mix-up of rows is far beyond this. */
const RELATIVE_TOLERANCE = 0.02;
const ABSOLUTE_TOLERANCE = 1e-4;

/**
 * The output that answers differently in a run of several equal rows than in a run of one such row. A
 * model that normalises over the batch has one, and so has one exported with the wrong axis.
 * @param axisOf the axis of an output that counts rows; null if both runs must give the same output
 * Floats are compared if there are any: rounding can tip an index or a label derived from them.
 */
export function differingOutput(
  alone: readonly RawTensor[],
  together: readonly RawTensor[],
  rows: number,
  axisOf: (output: RawTensor) => BatchAxis,
): RawTensor | undefined {
  const floats = together.filter((output) => DATATYPE_TRAITS[output.datatype].kind === 'float');
  const compared = floats.length > 0 ? floats : together;
  return compared.find((output) => {
    const one = alone.find(({ name }) => name === output.name);
    return one === undefined || !rowsAnswerAlike(one, output, rows, axisOf(output));
  });
}

function rowsAnswerAlike(
  alone: RawTensor,
  together: RawTensor,
  rows: number,
  axis: BatchAxis,
): boolean {
  const expected = elements(alone);
  const found = elements(together);
  // Another extent per row (detections, say) leaves nothing to compare.
  if (expected.length * (axis === null ? 1 : rows) !== found.length) return true;
  const scale = expected.reduce<number>((max, value) => Math.max(max, magnitude(value)), 0);
  // Elements behind the batch axis: those of one row that lie together.
  const perRow = elementCount(alone.shape.slice((axis ?? 0) + 1));
  const indexAlone = (index: number) =>
    axis === null ? index : Math.floor(index / (perRow * rows)) * perRow + (index % perRow);
  return found.every((value, index) => alike(value, expected[indexAlone(index)], scale));
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
  return Math.abs(found - expected) <= ABSOLUTE_TOLERANCE + RELATIVE_TOLERANCE * scale;
}
