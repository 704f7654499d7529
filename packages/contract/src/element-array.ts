import { Float16Array } from '@petamoriken/float16';
import type { Datatype } from './datatypes.ts';

/** A typed array over a tensor's elements. BYTES has none. */
export type ElementArray =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | BigUint64Array
  | BigInt64Array
  | Float32Array
  | Float64Array
  | InstanceType<typeof Float16Array>;

type NumericDatatype = Exclude<Datatype, 'BYTES'>;

if (new Uint8Array(new Uint16Array([1]).buffer)[0] !== 1) {
  throw new Error('Quern needs a little-endian machine: tensors are stored in that order');
}

const CONSTRUCTORS = {
  BOOL: Uint8Array,
  UINT8: Uint8Array,
  UINT16: Uint16Array,
  UINT32: Uint32Array,
  UINT64: BigUint64Array,
  INT8: Int8Array,
  INT16: Int16Array,
  INT32: Int32Array,
  INT64: BigInt64Array,
  FP16: Float16Array,
  FP32: Float32Array,
  FP64: Float64Array,
} as const satisfies Record<NumericDatatype, unknown>;

interface ElementArrayConstructor {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): ElementArray;
}

/** A new zeroed array of `count` elements. */
export function allocateElements(datatype: NumericDatatype, count: number): ElementArray {
  return new CONSTRUCTORS[datatype](count);
}

/** The elements of binary data: a view when the offset allows it, else a copy. */
export function viewElements(datatype: NumericDatatype, data: Uint8Array): ElementArray {
  const type: ElementArrayConstructor = CONSTRUCTORS[datatype];
  const bytes = type.BYTES_PER_ELEMENT;
  const aligned = data.byteOffset % bytes === 0 ? data : data.slice();
  return new type(aligned.buffer, aligned.byteOffset, aligned.byteLength / bytes);
}

/** The bytes under a typed array, as a view. */
export function viewBytes(elements: ElementArray): Uint8Array {
  return new Uint8Array(elements.buffer, elements.byteOffset, elements.byteLength);
}
