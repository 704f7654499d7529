/** The typed array that holds the elements of each datatype; BYTES are texts. */
export interface ElementsByDatatype {
  /** 0 or 1. */
  BOOL: Uint8Array;
  UINT8: Uint8Array | Uint8ClampedArray;
  UINT16: Uint16Array;
  UINT32: Uint32Array;
  UINT64: BigUint64Array;
  INT8: Int8Array;
  INT16: Int16Array;
  INT32: Int32Array;
  INT64: BigInt64Array;
  /** The bits; `decodeFloat16` and `encodeFloat16` turn them into numbers and back. */
  FP16: Uint16Array;
  FP32: Float32Array;
  FP64: Float64Array;
  BYTES: readonly string[];
}

/** The tensor datatypes of the Open Inference Protocol. */
export type Datatype = keyof ElementsByDatatype;

/** One element in plain arrays. */
export interface ElementByDatatype {
  BOOL: boolean;
  UINT8: number;
  UINT16: number;
  UINT32: number;
  UINT64: number | bigint;
  INT8: number;
  INT16: number;
  INT32: number;
  INT64: number | bigint;
  FP16: number;
  FP32: number;
  FP64: number;
  BYTES: string;
}

export type TypedArray = Exclude<ElementsByDatatype[Datatype], readonly string[]>;
export type NumericDatatype = Exclude<Datatype, 'BYTES'>;

interface ElementArray {
  readonly BYTES_PER_ELEMENT: number;
  new (length: number): TypedArray;
  new (buffer: ArrayBuffer, byteOffset: number, length: number): TypedArray;
}

export const ELEMENT_ARRAYS: Readonly<Record<NumericDatatype, ElementArray>> = {
  BOOL: Uint8Array,
  UINT8: Uint8Array,
  UINT16: Uint16Array,
  UINT32: Uint32Array,
  UINT64: BigUint64Array,
  INT8: Int8Array,
  INT16: Int16Array,
  INT32: Int32Array,
  INT64: BigInt64Array,
  FP16: Uint16Array,
  FP32: Float32Array,
  FP64: Float64Array,
};

/** What a typed array holds unless it is said. `Float16Array` is newer than the language used here. */
const DATATYPE_OF_ARRAY: Readonly<Record<string, NumericDatatype>> = {
  Uint8Array: 'UINT8',
  Uint8ClampedArray: 'UINT8',
  Uint16Array: 'UINT16',
  Uint32Array: 'UINT32',
  BigUint64Array: 'UINT64',
  Int8Array: 'INT8',
  Int16Array: 'INT16',
  Int32Array: 'INT32',
  BigInt64Array: 'INT64',
  Float16Array: 'FP16',
  Float32Array: 'FP32',
  Float64Array: 'FP64',
};

export const DATATYPES = [...Object.keys(ELEMENT_ARRAYS), 'BYTES'] as Datatype[];

export function isDatatype(value: unknown): value is Datatype {
  return value === 'BYTES' || (typeof value === 'string' && Object.hasOwn(ELEMENT_ARRAYS, value));
}

export function isTypedArray(value: unknown): value is TypedArray {
  return ArrayBuffer.isView(value) && datatypeOfArray(value) !== undefined;
}

/** The datatype that a typed array stands for by itself; undefined for what is none (a `DataView`). */
export function datatypeOfArray(array: ArrayBufferView): NumericDatatype | undefined {
  // Node's Buffer is a Uint8Array by its tag, too.
  return DATATYPE_OF_ARRAY[Object.prototype.toString.call(array).slice('[object '.length, -1)];
}
