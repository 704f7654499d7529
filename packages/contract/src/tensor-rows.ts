import { encodeBytesElements, splitBytesElements } from './bytes-elements.ts';
import { forEachRun } from './copy-runs.ts';
import { DATATYPE_TRAITS } from './datatypes.ts';
import type { TensorSpec } from './model-signature.ts';
import { elementCount, type Tensor } from './tensor.ts';

/** The axis of a tensor that counts rows; null if all rows share the tensor. */
export type BatchAxis = number | null;

/** A spec's batch axis: axis 0 unless it says otherwise. */
export function batchAxisOf(spec: Pick<TensorSpec, 'batchAxis'>): BatchAxis {
  return spec.batchAxis === undefined ? 0 : spec.batchAxis;
}

/** A shape with another number of rows; itself where there is no batch axis. */
export function withRows(shape: readonly number[], axis: BatchAxis, rows: number): number[] {
  return shape.map((extent, at) => (at === axis ? rows : extent));
}

/**
 * The rows `first` to `first + count` of a tensor. A view where the rows lie together (no axis of more
 * than one element in front of the batch axis), a copy otherwise.
 * @param axis the batch axis; null gives the tensor itself
 * @param first with `count`, within the tensor's rows
 */
export function sliceRows(tensor: Tensor, axis: BatchAxis, first: number, count: number): Tensor {
  if (axis === null || (first === 0 && count === tensor.shape[axis])) return tensor;
  const shape = withRows(tensor.shape, axis, count);
  const start = tensor.shape.map((_, at) => (at === axis ? first : 0));
  if (tensor.datatype === 'BYTES') {
    const elements = splitBytesElements(tensor.data);
    const taken = takeBlock(elements, tensor.shape, start, shape);
    return { ...tensor, shape, data: encodeBytesElements(taken) };
  }
  const { bytes } = DATATYPE_TRAITS[tensor.datatype];
  if (elementCount(tensor.shape.slice(0, axis)) === 1) {
    const rowBytes = elementCount(tensor.shape.slice(axis + 1)) * bytes;
    return {
      ...tensor,
      shape,
      data: tensor.data.subarray(first * rowBytes, (first + count) * rowBytes),
    };
  }
  const data = new Uint8Array(elementCount(shape) * bytes);
  const origin = shape.map(() => 0);
  forEachRun({ shape: tensor.shape, start }, { shape, start: origin }, shape, (from, to, run) => {
    data.set(tensor.data.subarray(from * bytes, (from + run) * bytes), to * bytes);
  });
  return { ...tensor, shape, data };
}

/**
 * Puts the rows of tensors one after the other: what `sliceRows` took apart. Name and datatype are the
 * first one's; their shapes may differ in the rows alone.
 * @param axis the batch axis; null gives the first tensor, which the others are taken to equal
 */
export function concatRows(tensors: readonly [Tensor, ...Tensor[]], axis: BatchAxis): Tensor {
  const [head] = tensors;
  if (axis === null || tensors.length === 1) return head;
  const rows = tensors.reduce((sum, { shape }) => sum + (shape[axis] ?? 0), 0);
  const shape = withRows(head.shape, axis, rows);
  if (head.datatype === 'BYTES') {
    const elements = new Array<Uint8Array>(elementCount(shape));
    placeRows(tensors, axis, shape, (tensor) => {
      const own = splitBytesElements(tensor.data);
      return (from, to, count) => {
        for (let i = 0; i < count; i++) elements[to + i] = own[from + i] ?? new Uint8Array();
      };
    });
    return { ...head, shape, data: encodeBytesElements(elements) };
  }
  const { bytes } = DATATYPE_TRAITS[head.datatype];
  const data = new Uint8Array(elementCount(shape) * bytes);
  placeRows(tensors, axis, shape, (tensor) => (from, to, count) => {
    data.set(tensor.data.subarray(from * bytes, (from + count) * bytes), to * bytes);
  });
  return { ...head, shape, data };
}

type CopyRun = (from: number, to: number, count: number) => void;

function placeRows(
  tensors: readonly Tensor[],
  axis: number,
  shape: readonly number[],
  copierOf: (tensor: Tensor) => CopyRun,
): void {
  let first = 0;
  for (const tensor of tensors) {
    const from = { shape: tensor.shape, start: shape.map(() => 0) };
    const to = { shape, start: shape.map((_, at) => (at === axis ? first : 0)) };
    forEachRun(from, to, tensor.shape, copierOf(tensor));
    first += tensor.shape[axis] ?? 0;
  }
}

function takeBlock<T>(
  elements: readonly T[],
  shape: readonly number[],
  start: readonly number[],
  extent: readonly number[],
): T[] {
  const taken: T[] = [];
  const to = { shape: extent, start: extent.map(() => 0) };
  forEachRun({ shape, start }, to, extent, (from, _, count) => {
    for (let i = 0; i < count; i++) {
      const element = elements[from + i];
      if (element !== undefined) taken.push(element);
    }
  });
  return taken;
}
