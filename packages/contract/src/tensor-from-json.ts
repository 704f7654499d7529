import { encodeBytesElements } from './bytes-elements.ts';
import { allocateElements, type ElementArray, viewBytes, viewElements } from './element-array.ts';
import { BadElement, type ElementParser, elementParser, show } from './element-parsers.ts';
import type { TensorSpec } from './model-signature.ts';
import {
  assertByteLength,
  assertShape,
  elementCount,
  formatShape,
  invalidInput,
  type Tensor,
} from './tensor.ts';

/** How a tensor was written in JSON; the answer is written in the same form. */
export type TensorForm = 'nested' | 'flat' | 'base64';

export interface ParsedTensor {
  readonly tensor: Tensor;
  readonly form: TensorForm;
}

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
  const shape = nestedShape(value);
  assertTensorFits(shape, spec, path);
  const tensor = fillTensor(value, shape, spec, path);
  return { tensor, form: 'nested' };
}

function tensorFromObject(
  value: Record<string, unknown>,
  spec: TensorSpec,
  path: string,
): ParsedTensor {
  for (const key of Object.keys(value)) {
    if (!['shape', 'datatype', 'data', 'b64'].includes(key)) {
      throw invalidInput(`${path}.${key}`, 'unknown key, expected shape, datatype and data or b64');
    }
  }
  const { datatype = spec.datatype, data, b64 } = value;
  if (datatype !== spec.datatype) {
    throw invalidInput(`${path}.datatype`, `got ${show(datatype)}, expected ${spec.datatype}`);
  }
  const shape = readShape(value['shape'], `${path}.shape`);
  assertTensorFits(shape, spec, path);
  if (typeof b64 === 'string' && data === undefined) {
    return { tensor: tensorFromBase64(b64, shape, spec, `${path}.b64`), form: 'base64' };
  }
  if (!Array.isArray(data) || b64 !== undefined) {
    throw invalidInput(path, 'expected either "data" (an array) or "b64" (a base64 string)');
  }
  return { tensor: tensorFromData(data, shape, spec, `${path}.data`), form: 'flat' };
}

/** Checks that a shape from outside is an array of non-negative integers. */
export function readShape(value: unknown, path: string): number[] {
  if (!Array.isArray(value)) {
    throw invalidInput(path, `got ${show(value)}, expected an array of integers`);
  }
  const shape = value.map((dimension) => (typeof dimension === 'number' ? dimension : Number.NaN));
  assertShape(shape, path);
  return shape;
}

/** Reads row-major data, flat or nested, for a shape that is already checked. */
export function tensorFromData(
  data: readonly unknown[],
  shape: readonly number[],
  spec: TensorSpec,
  path: string,
): Tensor {
  const count = elementCount(shape);
  const isFlat = !Array.isArray(data[0]);
  if (isFlat && data.length !== count) {
    throw invalidInput(
      path,
      `got ${data.length} elements, expected ${count} for shape ${formatShape(shape)}`,
    );
  }
  const tensor = fillTensor(data, isFlat ? [count] : shape, spec, path);
  return { ...tensor, shape };
}

function tensorFromBase64(
  b64: string,
  shape: readonly number[],
  spec: TensorSpec,
  path: string,
): Tensor {
  const buffer = Buffer.from(b64, 'base64');
  // Node's decoder skips what is not base64; a length that does not match shows it.
  const digits = b64.replace(/[=\s]+$/, '').length;
  if (buffer.byteLength !== Math.floor((digits * 3) / 4)) {
    throw invalidInput(path, 'expected base64 text');
  }
  const data = new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  const tensor: Tensor = { name: spec.name, datatype: spec.datatype, shape, data };
  assertByteLength(tensor, path);
  assertBinaryElements(tensor, spec, path);
  return tensor;
}

/**
 * Throws where binary elements hold what JSON could not say: NaN or infinity in a float tensor, unless
 * the model allows them, and a BOOL that is neither 0 nor 1.
 */
export function assertBinaryElements(tensor: Tensor, spec: TensorSpec, path: string): void {
  if (tensor.datatype === 'BYTES') return;
  const isFloat = tensor.datatype.startsWith('FP') && spec.allowNonFinite !== true;
  if (!isFloat && tensor.datatype !== 'BOOL') return;
  const elements = viewElements(tensor.datatype, tensor.data);
  for (let i = 0; i < elements.length; i++) {
    const element = elements[i] as number;
    if (isFloat ? !Number.isFinite(element) : element > 1) {
      throw invalidInput(
        `${path}[${i}]`,
        `got ${element}, expected ${isFloat ? 'a finite number' : '0 or 1'} (${tensor.datatype})`,
      );
    }
  }
}

/** Throws unless datatype-independent facts fit: rank, fixed dimensions, element count. */
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

/** The shape that the first element at each level suggests; the walk below finds ragged arrays. */
function nestedShape(value: unknown): number[] {
  const shape: number[] = [];
  let level = value;
  while (Array.isArray(level)) {
    shape.push(level.length);
    level = level[0];
  }
  return shape;
}

function fillTensor(
  value: unknown,
  shape: readonly number[],
  spec: TensorSpec,
  path: string,
): Tensor {
  const { name, datatype } = spec;
  const count = elementCount(shape);
  if (datatype === 'BYTES') {
    const strings: string[] = [];
    walk(value, shape, path, (row, rowPath) => {
      row.forEach((item, i) => {
        if (typeof item !== 'string') {
          throw invalidInput(`${rowPath}[${i}]`, `got ${show(item)}, expected a string (BYTES)`);
        }
        strings.push(item);
      });
    });
    return { name, datatype, shape, data: encodeBytesElements(strings) };
  }
  const elements = allocateElements(datatype, count);
  const parse = elementParser(spec);
  let offset = 0;
  walk(value, shape, path, (row, rowPath) => {
    fillRow(elements, offset, row, parse, rowPath);
    offset += row.length;
  });
  return { name, datatype, shape, data: viewBytes(elements) };
}

function fillRow(
  elements: ElementArray,
  offset: number,
  row: readonly unknown[],
  parse: ElementParser,
  path: string,
): void {
  for (let i = 0; i < row.length; i++) {
    try {
      elements[offset + i] = parse(row[i]);
    } catch (error) {
      if (error instanceof BadElement) throw invalidInput(`${path}[${i}]`, error.message);
      throw error;
    }
  }
}

/** Calls `onRow` for each innermost array, in row-major order, and throws on ragged nesting. */
function walk(
  value: unknown,
  shape: readonly number[],
  path: string,
  onRow: (row: readonly unknown[], path: string) => void,
): void {
  const [length, ...rest] = shape;
  if (length === undefined) {
    onRow([value], path);
    return;
  }
  if (!Array.isArray(value)) {
    throw invalidInput(path, `got ${show(value)}, expected an array of ${length}`);
  }
  if (value.length !== length) {
    throw invalidInput(path, `got an array of ${value.length}, expected ${length} as at its start`);
  }
  if (rest.length === 0) {
    onRow(value, path);
    return;
  }
  for (let i = 0; i < length; i++) walk(value[i], rest, `${path}[${i}]`, onRow);
}
