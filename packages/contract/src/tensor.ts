import { DATATYPE_TRAITS, type Datatype } from './datatypes.ts';
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

/** The product of the dimensions; 1 for a scalar. NaN-free: callers check the dimensions first. */
export function elementCount(shape: readonly number[]): number {
  let count = 1;
  for (const dimension of shape) count *= dimension;
  return count;
}

/** A shape as people write it: `[-1,1,8,8]`. */
export function formatShape(shape: readonly number[]): string {
  return `[${shape.join(',')}]`;
}

/** Throws unless every dimension is a non-negative safe integer and the count can be indexed. */
export function assertShape(shape: readonly number[], path: string): void {
  shape.forEach((dimension, axis) => {
    if (!Number.isSafeInteger(dimension) || dimension < 0) {
      throw invalidInput(
        `${path}[${axis}]`,
        `got dimension ${dimension}, expected an integer of at least 0`,
      );
    }
  });
  const count = elementCount(shape);
  if (count > MAX_ELEMENTS) {
    throw invalidInput(path, `got ${count} elements, expected at most ${MAX_ELEMENTS}`);
  }
}

/**
 * Throws unless the data has exactly the bytes that datatype and shape ask for. The lengths inside
 * BYTES data are walked, so a lying length is found here and not by a reader later.
 */
export function assertByteLength(tensor: Tensor, path: string): void {
  const count = elementCount(tensor.shape);
  if (tensor.datatype === 'BYTES') {
    const found = countBytesElements(tensor.data, count, path);
    if (found !== count) {
      throw invalidInput(
        path,
        `got ${found} elements, expected ${count} for shape ${formatShape(tensor.shape)}`,
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
