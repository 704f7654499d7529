import { decodeBase64 } from './base64.ts';
import { swapToWire } from './byte-order.ts';
import { decodeTexts } from './bytes-elements.ts';
import { type Datatype, ELEMENT_ARRAYS, isDatatype, type TypedArray } from './datatypes.ts';
import { badAnswer } from './errors.ts';
import { asNumbers } from './nested-arrays.ts';
import { assertFits, numbersToElements, type Tensor } from './tensor.ts';

/**
 * Outputs as a program reads them: plain values as they are, tensors with typed arrays over the bytes
 * of the answer.
 * @throws ConnectionError `BAD_ANSWER` for a tensor whose parts do not fit one another
 */
export function outputsFromWire(
  outputs: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const entries = Object.entries(outputs).map(([name, value]) => [
    name,
    outputFromWire(value, `output.${name}`),
  ]);
  return Object.fromEntries(entries);
}

function outputFromWire(value: unknown, path: string): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return asNumbers(value);
  const { datatype, shape, b64, data } = value as Readonly<Record<string, unknown>>;
  // Other objects come from steps behind a model: labels with scores.
  if (!isDatatype(datatype) || !isShape(shape)) return value;
  try {
    if (typeof b64 === 'string')
      return checked({ datatype, shape, data: fromBytes(datatype, b64) }, path);
    if (Array.isArray(data))
      return checked({ datatype, shape, data: fromValues(datatype, data) }, path);
  } catch (error) {
    throw badAnswer(path, error instanceof Error ? error.message : String(error));
  }
  return value;
}

function isShape(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((extent) => Number.isInteger(extent));
}

function checked(tensor: Tensor, path: string): Tensor {
  assertFits(tensor, path);
  return tensor;
}

function fromBytes(datatype: Datatype, b64: string): TypedArray | string[] {
  const bytes = decodeBase64(b64);
  if (datatype === 'BYTES') return decodeTexts(bytes);
  const ElementArray = ELEMENT_ARRAYS[datatype];
  const own = swapToWire(bytes, ElementArray.BYTES_PER_ELEMENT);
  return new ElementArray(own.buffer, 0, own.byteLength / ElementArray.BYTES_PER_ELEMENT);
}

function fromValues(datatype: Datatype, data: readonly unknown[]): TypedArray | readonly string[] {
  return datatype === 'BYTES' ? data.map(String) : numbersToElements(data, datatype);
}
