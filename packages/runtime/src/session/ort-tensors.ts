import {
  DATATYPE_TRAITS,
  type Datatype,
  datatypeFromOnnx,
  decodeBytesElements,
  elementCount,
  encodeBytesElements,
  type Tensor,
} from '@quern/contract';
import { Tensor as OrtTensor } from 'onnxruntime-node';

/**
 * A tensor on its way to or from the session thread: elements in one transferable buffer, or strings.
 * `buffer` holds exactly the elements, in the binary form of the contract.
 */
export type RawTensor = {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
} & ({ readonly bytes: Uint8Array<ArrayBuffer> } | { readonly strings: readonly string[] });

type TypedArray =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | BigUint64Array
  | BigInt64Array
  | Float32Array
  | Float64Array;

interface TypedArrayConstructor {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBuffer, byteOffset: number, length: number): TypedArray;
}

/** The array types that ONNX Runtime takes; float16 comes as raw 16-bit words. */
const ARRAY_TYPES: Readonly<Record<Exclude<Datatype, 'BYTES'>, TypedArrayConstructor>> = {
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

/** The tensor for a run; reads the buffer in place. */
export function toOrtTensor(raw: RawTensor): OrtTensor {
  if ('strings' in raw) return new OrtTensor('string', [...raw.strings], [...raw.shape]);
  const { datatype, bytes, shape } = raw;
  if (datatype === 'BYTES') throw new TypeError(`${raw.name}: BYTES travel as strings`);
  const array = ARRAY_TYPES[datatype];
  const elements = new array(
    bytes.buffer,
    bytes.byteOffset,
    bytes.byteLength / array.BYTES_PER_ELEMENT,
  );
  // The constructor's overloads pair each type with its array; the table above does the same.
  return new OrtTensor(DATATYPE_TRAITS[datatype].onnx as 'float32', elements as Float32Array, [
    ...shape,
  ]);
}

/** A run's output; its buffer is ONNX Runtime's own and may be transferred. */
export function fromOrtTensor(name: string, tensor: OrtTensor): RawTensor {
  const datatype = datatypeFromOnnx(tensor.type);
  if (datatype === undefined) {
    throw new Error(`output ${name} is of type ${tensor.type}, which Quern cannot carry`);
  }
  const head = { name, datatype, shape: tensor.dims };
  const { data } = tensor;
  if (Array.isArray(data)) return { ...head, strings: data };
  const bytes = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
  return { ...head, bytes };
}

/**
 * A tensor for a warm-up run.
 * @param element what it is full of, in binary form; zeros or empty strings by default
 */
export function filledTensor(
  name: string,
  datatype: Datatype,
  shape: readonly number[],
  element?: Uint8Array,
): RawTensor {
  const count = elementCount(shape);
  const head = { name, datatype, shape };
  if (datatype === 'BYTES') {
    const [text = ''] = element === undefined ? [] : decodeBytesElements(element);
    return { ...head, strings: new Array<string>(count).fill(text) };
  }
  const { buffer } = Buffer.alloc(count * DATATYPE_TRAITS[datatype].bytes, element ?? 0);
  return { ...head, bytes: new Uint8Array(buffer) };
}

/** The tensor with its elements in binary form: a view, or the strings encoded. */
export function toTensor(raw: RawTensor): Tensor {
  const { name, datatype, shape } = raw;
  const data = 'strings' in raw ? encodeBytesElements(raw.strings) : raw.bytes;
  return { name, datatype, shape, data };
}

/** The buffers to hand over with tensors instead of copying them; each once. */
export function transferList(tensors: readonly RawTensor[]): ArrayBuffer[] {
  const buffers = tensors.flatMap((tensor) => ('bytes' in tensor ? [tensor.bytes.buffer] : []));
  return [...new Set(buffers)];
}
