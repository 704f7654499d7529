import { elementReader } from './element-readers.ts';
import { fieldPath, show } from './error-text.ts';
import type { TensorSpec } from './model-signature.ts';
import { elementPath, innermostRows, nestedShape } from './nested-arrays.ts';
import { assertShape, elementCount, formatShape, invalidInput, type Tensor } from './tensor.ts';
import { tensorFromBase64 } from './tensor-from-base64.ts';

/** How a tensor was written in JSON; the answer is written in the same form. */
export type TensorForm = 'nested' | 'flat' | 'base64';

export interface ParsedTensor {
  readonly tensor: Tensor;
  readonly form: TensorForm;
  /** Elements that are URLs of the bytes that are meant, by their index; none if absent. */
  readonly references?: readonly number[];
}

const OBJECT_KEYS = ['shape', 'datatype', 'data', 'b64'];

/**
 * Reads one tensor from JSON: nested arrays, `{"shape","datatype"?,"data"}` with flat or nested data,
 * or `{"shape","datatype"?,"b64"}` with the binary form in base64.
 * @param path where the value stands in the body, for messages: `input.image`
 * @throws QuernError `INVALID_INPUT` that names the element's path, what was got and what was expected
 */
export function tensorFromJson(value: unknown, spec: TensorSpec, path: string): ParsedTensor {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return tensorFromObject(value as Record<string, unknown>, spec, path);
  }
  if (!Array.isArray(value) && spec.shape.length > 0) {
    throw invalidInput(
      path,
      `got ${show(value)}, expected nested arrays of shape ${formatShape(spec.shape)} (${spec.datatype})`,
    );
  }
  const shape = nestedShape(value, spec.shape);
  assertTensorFits(shape, spec, path);
  return { tensor: readElements(value, shape, spec, path), form: 'nested' };
}

function tensorFromObject(
  value: Readonly<Record<string, unknown>>,
  spec: TensorSpec,
  path: string,
): ParsedTensor {
  for (const key of Object.keys(value)) {
    if (!OBJECT_KEYS.includes(key)) {
      const at = fieldPath(path, key);
      throw invalidInput(at, 'unknown key, expected shape, datatype and data or b64');
    }
  }
  const { datatype = spec.datatype, shape: givenShape, data, b64 } = value;
  if (datatype !== spec.datatype) {
    throw invalidInput(`${path}.datatype`, `got ${show(datatype)}, expected ${spec.datatype}`);
  }
  const shape = readShape(givenShape, `${path}.shape`);
  assertTensorFits(shape, spec, `${path}.shape`);
  if ((data === undefined) === (b64 === undefined)) {
    const got = data === undefined ? 'neither' : 'both';
    throw invalidInput(path, `got ${got} of "data" and "b64", expected one of them`);
  }
  if (data !== undefined) {
    return { tensor: tensorFromData(data, shape, spec, `${path}.data`), form: 'flat' };
  }
  if (typeof b64 !== 'string') {
    throw invalidInput(`${path}.b64`, `got ${show(b64)}, expected a base64 string`);
  }
  return { tensor: tensorFromBase64(b64, shape, spec, `${path}.b64`), form: 'base64' };
}

/**
 * Reads a shape from outside.
 * @throws QuernError `INVALID_INPUT` unless it is an array of non-negative integers of sane size
 */
export function readShape(value: unknown, path: string): number[] {
  if (!Array.isArray(value)) {
    throw invalidInput(path, `got ${show(value)}, expected an array of integers`);
  }
  const shape: readonly unknown[] = value;
  assertShape(shape, path);
  return [...shape];
}

/**
 * Reads row-major data, flat or nested, for a shape that is already checked.
 * @throws QuernError `INVALID_INPUT` naming the element
 */
export function tensorFromData(
  data: unknown,
  shape: readonly number[],
  spec: TensorSpec,
  path: string,
): Tensor {
  if (!Array.isArray(data)) throw invalidInput(path, `got ${show(data)}, expected an array`);
  if (Array.isArray(data[0])) return readElements(data, shape, spec, path);
  const count = elementCount(shape);
  if (data.length !== count) {
    throw invalidInput(
      path,
      `got ${data.length} elements, expected ${count} for shape ${formatShape(shape)}`,
    );
  }
  return { ...readElements(data, [count], spec, path), shape };
}

/**
 * Throws unless a shape fits a model's: same rank, same extent wherever the model's is fixed.
 * @throws QuernError `INVALID_INPUT`
 */
export function assertTensorFits(shape: readonly number[], spec: TensorSpec, path: string): void {
  if (shape.length !== spec.shape.length) {
    const hint =
      shape.length === spec.shape.length - 1 && spec.shape[0] === -1
        ? '; the first dimension counts rows: put a single row in one more array'
        : '';
    throw invalidInput(
      path,
      `got rank ${shape.length} ${formatShape(shape)}, expected rank ${spec.shape.length} ${formatShape(spec.shape)}${hint}`,
    );
  }
  spec.shape.forEach((expected, axis) => {
    if (expected !== -1 && shape[axis] !== expected) {
      throw invalidInput(
        path,
        `got ${formatShape(shape)}, expected ${formatShape(spec.shape)} (dimension ${axis})`,
      );
    }
  });
  assertShape(shape, path);
}

/** Lengths are checked before anything is allocated: a shape costs its sender as many elements. */
function readElements(
  value: unknown,
  shape: readonly number[],
  spec: TensorSpec,
  path: string,
): Tensor {
  const rows = innermostRows(value, shape, path);
  const reader = elementReader(spec, elementCount(shape));
  let offset = 0;
  for (const row of rows) {
    const good = reader.readRow(row, offset);
    if (good < row.length) {
      const at = elementPath(path, offset + good, shape);
      throw invalidInput(at, `got ${show(row[good])}, expected ${reader.expected(row[good])}`);
    }
    offset += row.length;
  }
  return { name: spec.name, datatype: spec.datatype, shape, data: reader.toBytes() };
}
