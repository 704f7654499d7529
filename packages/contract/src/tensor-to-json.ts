import { decodeBytesElements } from './bytes-elements.ts';
import { DATATYPE_TRAITS, type Datatype } from './datatypes.ts';
import { viewElements } from './element-array.ts';
import type { Tensor } from './tensor.ts';
import type { TensorForm } from './tensor-from-json.ts';

export interface JsonTensor {
  readonly value: unknown;
  /** True if the value holds integers that only a bigint can hold: write it with `stringifyJson`. */
  readonly holdsBigints: boolean;
}

/**
 * A tensor as JSON in the wanted form. Integers beyond 2^53 stay exact (bigint); NaN and infinities,
 * for which JSON has no number, become the strings "NaN", "Infinity" and "-Infinity" (as in ProtoJSON).
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
export function flatJsonElements(tensor: Tensor): { elements: unknown[]; holdsBigints: boolean } {
  if (tensor.datatype === 'BYTES') {
    return { elements: decodeBytesElements(tensor.data), holdsBigints: false };
  }
  const view = viewElements(tensor.datatype, tensor.data);
  const elements: unknown[] = new Array(view.length);
  const convert = converter(tensor.datatype);
  let holdsBigints = false;
  for (let i = 0; i < view.length; i++) {
    const element = convert(view[i] as number | bigint);
    if (typeof element === 'bigint') holdsBigints = true;
    elements[i] = element;
  }
  return { elements, holdsBigints };
}

function converter(datatype: Datatype): (element: number | bigint) => unknown {
  const { kind } = DATATYPE_TRAITS[datatype];
  if (kind === 'boolean') return (element) => element !== 0;
  if (kind === 'float') return (element) => (Number.isFinite(element) ? element : String(element));
  if (kind === 'bigint') {
    return (element) => (Number.isSafeInteger(Number(element)) ? Number(element) : element);
  }
  return (element) => element;
}

function nest(elements: unknown[], shape: readonly number[]): unknown {
  if (shape.length === 0) return elements[0];
  let level: unknown[] = elements;
  for (let axis = shape.length - 1; axis > 0; axis--) {
    const size = shape[axis] as number;
    const count = shape.slice(0, axis).reduce((product, dimension) => product * dimension, 1);
    level = Array.from({ length: count }, (_, i) => level.slice(i * size, (i + 1) * size));
  }
  return level;
}
