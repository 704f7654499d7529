import { Float16Array } from '@petamoriken/float16';
import type { Datatype } from './datatypes.ts';
import { fromFloat16Bits, toFloat16Bits } from './float16.ts';

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
/** The datatypes whose every element is exactly one JavaScript number. */
type NumberDatatype = Exclude<NumericDatatype, 'INT64' | 'UINT64'>;

if (new Uint8Array(new Uint16Array([1]).buffer)[0] !== 1) {
  throw new Error('Quern needs a little-endian machine: tensors are stored in that order');
}

const NUMBER_CONSTRUCTORS = {
  BOOL: Uint8Array,
  UINT8: Uint8Array,
  UINT16: Uint16Array,
  UINT32: Uint32Array,
  INT8: Int8Array,
  INT16: Int16Array,
  INT32: Int32Array,
  FP32: Float32Array,
  FP64: Float64Array,
} as const satisfies Record<Exclude<NumberDatatype, 'FP16'>, unknown>;

const CONSTRUCTORS = {
  ...NUMBER_CONSTRUCTORS,
  UINT64: BigUint64Array,
  INT64: BigInt64Array,
  FP16: Float16Array,
} as const satisfies Record<NumericDatatype, unknown>;

interface ElementArrayConstructor {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): ElementArray;
}

/** A new zeroed array of `count` elements. */
export function allocateElements(datatype: NumericDatatype, count: number): ElementArray {
  return new CONSTRUCTORS[datatype](count);
}

/**
 * The elements of binary data, whose length fits the datatype: a view when the offset is aligned, else
 * a copy. FP16 elements pass through a proxy: where speed matters, view their bits as `UINT16`.
 */
export function viewElements(datatype: NumericDatatype, data: Uint8Array): ElementArray {
  const type: ElementArrayConstructor = CONSTRUCTORS[datatype];
  const bytes = type.BYTES_PER_ELEMENT;
  // Not `slice`: a Buffer's makes a view, not a copy.
  const aligned = data.byteOffset % bytes === 0 ? data : new Uint8Array(data);
  return new type(aligned.buffer, aligned.byteOffset, aligned.byteLength / bytes);
}

/** The bytes under a typed array, as a view. */
export function viewBytes(elements: ElementArray): Uint8Array {
  return new Uint8Array(elements.buffer, elements.byteOffset, elements.byteLength);
}

/** The binary form of numbers that the datatype can hold; floats are rounded to the nearest. */
export function packNumbers(datatype: NumberDatatype, numbers: Float64Array): Uint8Array {
  if (datatype === 'FP64') return viewBytes(numbers);
  if (datatype !== 'FP16') return viewBytes(new NUMBER_CONSTRUCTORS[datatype](numbers));
  const bits = new Uint16Array(numbers.length);
  for (let i = 0; i < bits.length; i++) bits[i] = toFloat16Bits(numbers[i] as number);
  return viewBytes(bits);
}

/** The elements of binary data as numbers: a view of the data where they are that already. */
export function unpackNumbers(datatype: NumberDatatype, data: Uint8Array): Float64Array {
  if (datatype === 'FP16') {
    const bits = viewElements('UINT16', data) as Uint16Array;
    const numbers = new Float64Array(bits.length);
    for (let i = 0; i < bits.length; i++) numbers[i] = fromFloat16Bits(bits[i] as number);
    return numbers;
  }
  const elements = viewElements(datatype, data) as Uint8Array | Float64Array;
  return elements instanceof Float64Array ? elements : new Float64Array(elements);
}
