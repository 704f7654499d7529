import { DATATYPE_TRAITS, type Datatype } from './datatypes.ts';
import { show } from './error-text.ts';
import { QuernError } from './errors.ts';

/**
 * A tensor as it crosses every boundary of Quern: row-major elements in the binary form of the Open
 * Inference Protocol (little-endian, no padding; BOOL one byte; BYTES each a uint32 length and bytes).
 */
export interface Tensor {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

/** The most elements that one tensor may have: what a typed array can index. */
export const MAX_ELEMENTS = 2 ** 31 - 1;

/** The most dimensions that a tensor may have: beyond any model's, and a bound for hostile shapes. */
export const MAX_RANK = 64;

/** Shapes in messages are cut after this many dimensions. */
const SHOWN_DIMENSIONS = 8;

/** The product of the dimensions; 1 for a scalar. For shapes that have passed `assertShape`. */
export function elementCount(shape: readonly number[]): number {
  let count = 1;
  for (const dimension of shape) count *= dimension;
  return count;
}

/** A shape as people write it: `[-1,1,8,8]`; what is longer than any model's is cut. */
export function formatShape(shape: readonly number[]): string {
  if (shape.length <= SHOWN_DIMENSIONS) return `[${shape.join(',')}]`;
  return `[${shape.slice(0, SHOWN_DIMENSIONS).join(',')},...]`;
}

/**
 * Throws unless every dimension is an integer from 0 to `MAX_ELEMENTS`, there are at most `MAX_RANK`,
 * and their product is at most `MAX_ELEMENTS`.
 * @throws QuernError `INVALID_INPUT`
 */
export function assertShape(
  shape: readonly unknown[],
  path: string,
): asserts shape is readonly number[] {
  if (shape.length > MAX_RANK) {
    throw invalidInput(path, `got ${shape.length} dimensions, expected at most ${MAX_RANK}`);
  }
  let count = 1;
  for (const [axis, dimension] of shape.entries()) {
    if (!isDimension(dimension)) {
      throw invalidInput(
        `${path}[${axis}]`,
        `got ${show(dimension)}, expected an integer from 0 to ${MAX_ELEMENTS}`,
      );
    }
    count *= dimension;
  }
  // NaN is infinity times 0: the dimensions in front of the 0 have overflowed a double.
  if (count > MAX_ELEMENTS || Number.isNaN(count)) {
    throw invalidInput(path, `got ${count} elements, expected at most ${MAX_ELEMENTS}`);
  }
}

function isDimension(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_ELEMENTS;
}

/**
 * Throws unless the data has exactly the bytes that datatype and shape ask for. The lengths inside
 * BYTES data are walked, so a lying length is found here and not by a reader later.
 * @throws QuernError `INVALID_INPUT`
 */
export function assertByteLength(tensor: Tensor, path: string): void {
  const count = elementCount(tensor.shape);
  if (tensor.datatype === 'BYTES') {
    const found = countBytesElements(tensor.data, count, path);
    if (found !== count) {
      const got = found > count ? `more than ${count}` : found;
      throw invalidInput(
        path,
        `got ${got} elements, expected ${count} for shape ${formatShape(tensor.shape)}`,
      );
    }
    return;
  }
  const expected = count * DATATYPE_TRAITS[tensor.datatype].bytes;
  if (tensor.data.byteLength !== expected) {
    throw invalidInput(
      path,
      `got ${tensor.data.byteLength} bytes, expected ${expected} for ${tensor.datatype} of shape ${formatShape(tensor.shape)}`,
    );
  }
}

/** Counts up to one element more than expected. */
function countBytesElements(data: Uint8Array, expected: number, path: string): number {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  let count = 0;
  let offset = 0;
  while (offset < data.byteLength) {
    if (offset + 4 > data.byteLength) {
      throw invalidInput(path, `element ${count} is cut off in its length`);
    }
    const length = view.getUint32(offset, true);
    offset += 4 + length;
    if (offset > data.byteLength) {
      throw invalidInput(
        path,
        `element ${count} claims ${length} bytes, but the data ends before that`,
      );
    }
    count += 1;
    if (count > expected) return count;
  }
  return count;
}

/** An `INVALID_INPUT` error at a field's path. */
export function invalidInput(path: string, problem: string): QuernError {
  return new QuernError('INVALID_INPUT', `${path}: ${problem}`, { details: { path } });
}
