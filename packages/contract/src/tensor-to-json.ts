import { decodeBytesElements } from './bytes-elements.ts';
import { unpackNumbers, viewElements } from './element-array.ts';
import type { Tensor } from './tensor.ts';
import type { TensorForm } from './tensor-from-json.ts';

export interface JsonTensor {
  readonly value: unknown;
  /** True if the value holds integers that only a bigint can hold: write it with `stringifyJson`. */
  readonly holdsBigints: boolean;
}

/** Elements in row-major order as JSON values. */
export interface FlatElements {
  readonly elements: unknown[];
  readonly holdsBigints: boolean;
}

/**
 * A tensor as JSON in the wanted form. Integers beyond 2^53 stay exact (bigint); NaN and infinities,
 * for which JSON has no number, become the strings "NaN", "Infinity" and "-Infinity" (as in ProtoJSON).
 * BYTES are written as text. A minus zero loses its sign when JSON is written; base64 keeps every bit.
 */
export function tensorToJson(tensor: Tensor, form: TensorForm): JsonTensor {
  const { shape, datatype } = tensor;
  if (form === 'base64') {
    const { buffer, byteOffset, byteLength } = tensor.data;
    const b64 = Buffer.from(buffer, byteOffset, byteLength).toString('base64');
    return { value: { shape, datatype, b64 }, holdsBigints: false };
  }
  const { elements, holdsBigints } = flatJsonElements(tensor);
  if (form === 'flat') return { value: { shape, datatype, data: elements }, holdsBigints };
  return { value: nest(elements, shape), holdsBigints };
}

/** The elements in row-major order as JSON values. */
export function flatJsonElements({ datatype, data }: Tensor): FlatElements {
  if (datatype === 'BYTES') return { elements: decodeBytesElements(data), holdsBigints: false };
  if (datatype === 'INT64' || datatype === 'UINT64') {
    return integersToJson(viewElements(datatype, data) as BigInt64Array | BigUint64Array);
  }
  const numbers = unpackNumbers(datatype, data);
  const elements: unknown[] = new Array(numbers.length);
  const isBoolean = datatype === 'BOOL';
  for (let i = 0; i < numbers.length; i++) {
    const number = numbers[i] as number;
    if (isBoolean) elements[i] = number !== 0;
    else elements[i] = Number.isFinite(number) ? number : String(number);
  }
  return { elements, holdsBigints: false };
}

function integersToJson(integers: BigInt64Array | BigUint64Array): FlatElements {
  const elements: unknown[] = new Array(integers.length);
  let holdsBigints = false;
  for (let i = 0; i < integers.length; i++) {
    const integer = integers[i] as bigint;
    const number = Number(integer);
    if (Number.isSafeInteger(number)) {
      elements[i] = number;
    } else {
      elements[i] = integer;
      holdsBigints = true;
    }
  }
  return { elements, holdsBigints };
}

/** Folds flat elements from the innermost axis outwards; a scalar is its only element. */
function nest(elements: unknown[], shape: readonly number[]): unknown {
  if (shape.length === 0) return elements[0];
  let level = elements;
  for (let axis = shape.length - 1; axis > 0; axis--) {
    const count = shape.slice(0, axis).reduce((product, extent) => product * extent, 1);
    level = fold(level, shape[axis] as number, count);
  }
  return level;
}

function fold(items: readonly unknown[], size: number, count: number): unknown[] {
  const groups: unknown[] = new Array(count);
  for (let i = 0; i < count; i++) groups[i] = items.slice(i * size, (i + 1) * size);
  return groups;
}
