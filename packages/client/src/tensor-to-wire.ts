import { encodeBase64 } from './base64.ts';
import { swapToWire } from './byte-order.ts';
import { encodeTexts } from './bytes-elements.ts';
import { isTypedArray, type TypedArray } from './datatypes.ts';
import { invalidInput } from './errors.ts';
import { firstLeaf, type PlainValue, shapeOf } from './nested-arrays.ts';
import { assertFits, isTensor, type Tensor, tensor } from './tensor.ts';

/** A model's input: plain values, a tensor, or a typed array, which has one dimension. */
export type Input = PlainValue | Tensor | TypedArray;

/**
 * Inputs as the API reads them. Tensors travel in binary (base64), and then the outputs come back in
 * binary, too: the API answers in the form of the first input, so plain arrays beside a tensor are
 * given its form with a shape.
 * @throws QuernError `INVALID_INPUT` naming the input
 */
export function inputsToWire(inputs: Readonly<Record<string, Input>>): Record<string, unknown> {
  const hasTensor = Object.values(inputs).some((value) => isTypedArray(value) || isTensor(value));
  const entries = Object.entries(inputs).map(([name, value]) => [
    name,
    inputToWire(value, hasTensor, `input.${name}`),
  ]);
  return Object.fromEntries(entries);
}

function inputToWire(value: Input, isBesideTensor: boolean, path: string): unknown {
  if (isTypedArray(value)) return tensorToWire(tensor([value.length], value), path);
  if (isTensor(value)) return tensorToWire(value, path);
  if (!Array.isArray(value)) return value;
  const leaf = firstLeaf(value);
  if (ArrayBuffer.isView(leaf)) {
    throw invalidInput(
      path,
      'got an array of typed arrays, expected tensor(shape, data) over all of it',
    );
  }
  const isNumeric = ['number', 'bigint', 'boolean'].includes(typeof leaf);
  return isBesideTensor && isNumeric ? { shape: shapeOf(value), data: value } : value;
}

function tensorToWire(value: Tensor, path: string): unknown {
  assertFits(value, path);
  const { datatype, shape } = value;
  return { shape, datatype, b64: encodeBase64(bytesOf(value)) };
}

/** The binary form of the protocol: little-endian, row-major. A view wherever possible. */
function bytesOf({ datatype, data }: Tensor): Uint8Array {
  if (datatype === 'BYTES') return encodeTexts(data as readonly string[]);
  const { buffer, byteOffset, byteLength, BYTES_PER_ELEMENT } = data as TypedArray;
  return swapToWire(new Uint8Array(buffer, byteOffset, byteLength), BYTES_PER_ELEMENT);
}
