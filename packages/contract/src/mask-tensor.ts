import type { Datatype } from './datatypes.ts';
import type { TensorSpec } from './model-signature.ts';
import { elementCount, type Tensor } from './tensor.ts';
import { tensorFromJson } from './tensor-from-json.ts';

/**
 * One element in the binary form, as often as asked for.
 * @param value `true` and `false` stand for 1 and 0 and the other way round
 * @throws QuernError `INVALID_INPUT` with `path` if the datatype cannot hold the value
 */
export function scalarBytes(
  value: number | string | boolean,
  datatype: Datatype,
  path: string,
): Uint8Array {
  const isFlag = value === 0 || value === 1 || typeof value === 'boolean';
  const fitting = datatype === 'BOOL' && isFlag ? Boolean(value) : value;
  const plain = typeof fitting === 'boolean' && datatype !== 'BOOL' ? Number(fitting) : fitting;
  return tensorFromJson(plain, { name: path, datatype, shape: [] }, path).tensor.data;
}

/**
 * The mask of an input that has not been padded: 1 everywhere.
 * @param maskedShape the shape of the input that it masks; the mask has the same
 */
export function maskTensor(spec: TensorSpec, maskedShape: readonly number[]): Tensor {
  const { name, datatype } = spec;
  const one = scalarBytes(1, datatype, name);
  const { buffer } = Buffer.alloc(elementCount(maskedShape) * one.byteLength, one);
  return { name, datatype, shape: maskedShape, data: new Uint8Array(buffer) };
}
