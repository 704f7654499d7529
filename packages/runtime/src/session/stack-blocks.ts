import {
  type BatchAxis,
  DATATYPE_TRAITS,
  type Datatype,
  decodeBytesElements,
  elementCount,
  encodeBytesElements,
  forEachRun,
  type Tensor,
} from '@quern/contract';
import type { DecodedTensor } from './decoded-entry.ts';
import type { RawTensor } from './ort-tensors.ts';

/** A tensor without its elements. */
interface TensorHead {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
}

/**
 * Puts parts beside each other along an axis of a larger tensor; what they leave free is filled. Slower
 * than joining parts that lie one after the other, and right for every axis and with padding.
 * @param axis null if there is one part
 * @param fill one element in binary form
 */
export function stackBlocks(
  head: TensorHead,
  parts: readonly DecodedTensor[],
  axis: BatchAxis,
  fill: Uint8Array,
): RawTensor {
  const count = elementCount(head.shape);
  if (head.datatype === 'BYTES') {
    const strings = new Array<string>(count).fill(decodeBytesElements(fill)[0] ?? '');
    place(head.shape, parts, axis, ({ strings: own = [] }, from, to, run) => {
      for (let i = 0; i < run; i++) strings[to + i] = own[from + i] ?? '';
    });
    return { ...head, strings };
  }
  const { bytes: size } = DATATYPE_TRAITS[head.datatype];
  const free = count - parts.reduce((sum, part) => sum + elementCount(part.shape), 0);
  // Not from Node's pool: the buffer changes threads.
  const all = Buffer.allocUnsafeSlow(count * size);
  if (free > 0) all.fill(fill);
  const bytes = new Uint8Array(all.buffer as ArrayBuffer, 0, all.byteLength);
  place(head.shape, parts, axis, ({ data }, from, to, run) => {
    bytes.set(data.subarray(from * size, (from + run) * size), to * size);
  });
  return { ...head, bytes };
}

function place(
  shape: readonly number[],
  parts: readonly DecodedTensor[],
  axis: BatchAxis,
  copy: (part: DecodedTensor, from: number, to: number, run: number) => void,
): void {
  let first = 0;
  for (const part of parts) {
    const from = { shape: part.shape, start: shape.map(() => 0) };
    const to = { shape, start: shape.map((_, at) => (at === axis ? first : 0)) };
    forEachRun(from, to, part.shape, (source, target, run) => copy(part, source, target, run));
    if (axis !== null) first += part.shape[axis] ?? 0;
  }
}

/** Copies a block out of a run's output. */
export function takeBlock(
  output: RawTensor,
  start: readonly number[],
  extent: readonly number[],
): Tensor {
  const { name, datatype } = output;
  const from = { shape: output.shape, start };
  const to = { shape: extent, start: extent.map(() => 0) };
  const head = { name, datatype, shape: extent };
  if ('strings' in output) {
    const strings: string[] = [];
    forEachRun(from, to, extent, (source, _, run) => {
      for (const text of output.strings.slice(source, source + run)) strings.push(text);
    });
    return { ...head, data: encodeBytesElements(strings) };
  }
  const size = datatype === 'BYTES' ? 0 : DATATYPE_TRAITS[datatype].bytes;
  const data = new Uint8Array(elementCount(extent) * size);
  forEachRun(from, to, extent, (source, target, run) => {
    data.set(output.bytes.subarray(source * size, (source + run) * size), target * size);
  });
  return { ...head, data };
}
