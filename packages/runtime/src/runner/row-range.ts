import { batchAxisOf, forEachRun, type ModelSignature, sliceRows, withRows } from '@quern/contract';
import type { DecodedEntry, DecodedTensor } from '../session/decoded-entry.ts';

const NO_DATA = new Uint8Array();

/**
 * The rows `first` to `first + count` of a prediction's inputs: views where rows lie together. Inputs
 * that all rows share stay as they are.
 */
export function sliceEntry(
  entry: DecodedEntry,
  signature: ModelSignature,
  first: number,
  count: number,
): DecodedEntry {
  const tensors = entry.tensors.map((tensor, index): DecodedTensor => {
    const spec = signature.inputs[index];
    const axis = spec === undefined ? 0 : batchAxisOf(spec);
    const { strings, ...plain } = tensor;
    if (strings === undefined || axis === null) {
      return { ...tensor, ...sliceRows(plain, axis, first, count) };
    }
    const shape = withRows(tensor.shape, axis, count);
    const taken = sliceElements(strings, tensor.shape, shape, axis, first);
    return { ...plain, shape, data: NO_DATA, strings: taken };
  });
  return { ...entry, rows: count, tensors };
}

/** Not by way of the bytes: each part would then take all the elements of the whole apart. */
function sliceElements(
  elements: readonly string[],
  shape: readonly number[],
  extent: readonly number[],
  axis: number,
  first: number,
): string[] {
  const taken: string[] = [];
  const from = { shape, start: shape.map((_, at) => (at === axis ? first : 0)) };
  const to = { shape: extent, start: extent.map(() => 0) };
  forEachRun(from, to, extent, (start, _, count) => {
    for (let i = start; i < start + count; i++) taken.push(elements[i] ?? '');
  });
  return taken;
}
