import { encodeBytesElements } from './bytes-elements.ts';
import { show } from './error-text.ts';
import { type Field, fieldElementProblem, isBinaryField } from './input-field.ts';
import { stringifyJson } from './json.ts';
import type { TensorSpec } from './model-signature.ts';
import { elementCount, formatShape, invalidInput, type Tensor } from './tensor.ts';
import { bytesFromBase64 } from './tensor-from-base64.ts';
import {
  assertTensorFits,
  type ParsedTensor,
  readShape,
  tensorFromJson,
} from './tensor-from-json.ts';

/** An input that is a field: BYTES, an element for each row. */
export interface FieldSpec extends TensorSpec {
  readonly field: Field;
}

export function isFieldSpec(spec: TensorSpec): spec is FieldSpec {
  return spec.field !== undefined;
}

const DATA_URL = /^data:([^,]{0,256}),/i;
const WEB_URL = /^https?:\/\//i;
/** A longer one is no URL that servers take. */
const MAX_URL_LENGTH = 2048;
/** A lone half of a surrogate pair has no UTF-8 form. */
const LONE_SURROGATE = /\p{Surrogate}/u;

/**
 * Reads a field from JSON: one value for a single row, or an array of them. A text is a string, a record
 * an object, and bytes (an image, say) are a data URL or base64, or an http(s) URL, which becomes a
 * reference: its element is the URL, and whoever runs the prediction fetches the bytes. What is no record may also be a tensor
 * object: of BYTES, or for bytes of UINT8 `[n]`, which is one element.
 * @throws QuernError `INVALID_INPUT` that names the element's path, what was got and what was expected
 */
export function fieldFromJson(value: unknown, spec: FieldSpec, path: string): ParsedTensor {
  if (isTensorObject(value, spec)) return fieldFromTensorObject(value, spec, path);
  const isArray = Array.isArray(value);
  const values: readonly unknown[] = isArray ? value : [value];
  const shape = [values.length];
  assertTensorFits(shape, spec, path);
  const elements = values.map((item, index) => {
    const at = isArray ? `${path}[${index}]` : path;
    return isReference(item, spec.field)
      ? urlElement(item, at)
      : elementFromJson(item, spec.field, at);
  });
  const references = values.flatMap((item, index) => (isReference(item, spec.field) ? index : []));
  const tensor = tensorOf(elements, shape, spec);
  return { tensor, form: 'nested', ...(references.length > 0 && { references }) };
}

function isReference(value: unknown, field: Field): value is string {
  return isBinaryField(field) && typeof value === 'string' && WEB_URL.test(value);
}

function urlElement(url: string, path: string): Uint8Array {
  if (url.length <= MAX_URL_LENGTH && URL.canParse(url)) return Buffer.from(url);
  throw invalidInput(
    path,
    `got ${show(url)}, expected a URL of at most ${MAX_URL_LENGTH} characters`,
  );
}

/**
 * Reads the elements of a field for a shape that is already checked.
 * @throws QuernError `INVALID_INPUT` naming the element
 */
export function fieldFromData(
  data: unknown,
  shape: readonly number[],
  spec: FieldSpec,
  path: string,
): Tensor {
  if (!Array.isArray(data)) throw invalidInput(path, `got ${show(data)}, expected an array`);
  const count = elementCount(shape);
  if (data.length !== count) {
    const expected = `expected ${count} for shape ${formatShape(shape)}`;
    throw invalidInput(path, `got ${data.length} elements, ${expected}`);
  }
  const elements = data.map((item: unknown, index) =>
    elementFromJson(item, spec.field, `${path}[${index}]`),
  );
  return tensorOf(elements, shape, spec);
}

type TensorObject = Readonly<Record<string, unknown>>;

function isTensorObject(value: unknown, { field }: FieldSpec): value is TensorObject {
  return (
    field.kind !== 'record' && typeof value === 'object' && value !== null && !Array.isArray(value)
  );
}

function fieldFromTensorObject(value: TensorObject, spec: FieldSpec, path: string): ParsedTensor {
  const { name, field } = spec;
  if (value['datatype'] === 'UINT8' && isBinaryField(field)) {
    const file = tensorFromJson(value, { name, datatype: 'UINT8', shape: [-1] }, path);
    assertElement(file.tensor.data, field, path);
    return { tensor: tensorOf([file.tensor.data], [1], spec), form: file.form };
  }
  const { datatype = 'BYTES', data, b64 } = value;
  if (datatype !== 'BYTES' || data === undefined || b64 !== undefined) {
    return tensorFromJson(value, spec, path);
  }
  const shape = readShape(value['shape'], `${path}.shape`);
  assertTensorFits(shape, spec, `${path}.shape`);
  return { tensor: fieldFromData(data, shape, spec, `${path}.data`), form: 'flat' };
}

function tensorOf(
  elements: readonly Uint8Array[],
  shape: readonly number[],
  { name }: FieldSpec,
): Tensor {
  return { name, datatype: 'BYTES', shape, data: encodeBytesElements(elements) };
}

function elementFromJson(value: unknown, field: Field, path: string): Uint8Array {
  const element = readElement(value, field, path);
  assertElement(element, field, path);
  return element;
}

function assertElement(element: Uint8Array, field: Field, path: string): void {
  const problem = fieldElementProblem(element, field);
  if (problem !== undefined) throw invalidInput(path, problem);
}

function readElement(value: unknown, field: Field, path: string): Uint8Array {
  if (field.kind === 'record') return recordElement(value, path);
  if (typeof value !== 'string')
    throw invalidInput(path, `got ${show(value)}, expected ${wanted(field)}`);
  if (isBinaryField(field)) return binaryElement(value, field, path);
  if (LONE_SURROGATE.test(value)) {
    throw invalidInput(path, 'got a lone surrogate, expected text that UTF-8 can say');
  }
  return Buffer.from(value);
}

function recordElement(value: unknown, path: string): Uint8Array {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidInput(path, `got ${show(value)}, expected an object (a record)`);
  }
  return Buffer.from(stringifyJson(value, true));
}

/** The bytes that a string stands for. */
function binaryElement(text: string, field: Field, path: string): Uint8Array {
  const parameters = DATA_URL.exec(text);
  if (parameters !== null) {
    const content = text.slice(parameters[0].length);
    return /;base64$/i.test(parameters[1] ?? '')
      ? bytesFromBase64(content, path)
      : bytesFromPercents(content, path);
  }
  if (/^[a-z][a-z0-9+.-]*:/i.test(text)) {
    throw invalidInput(path, `got ${show(text)}, expected ${wanted(field)}`);
  }
  return bytesFromBase64(text, path);
}

/** A data URL without base64: text in which other bytes stand as %XX. Source: RFC 2397 */
function bytesFromPercents(content: string, path: string): Uint8Array {
  if (/%(?![0-9a-f]{2})/i.test(content) || LONE_SURROGATE.test(content)) {
    throw invalidInput(path, 'got a data URL that is cut off in a %XX or in a character');
  }
  // Pieces of text and of bytes take turns.
  const pieces = content.split(/((?:%[0-9a-f]{2})+)/i);
  return Buffer.concat(
    pieces.map((piece, index) =>
      index % 2 === 0 ? Buffer.from(piece) : Buffer.from(piece.replaceAll('%', ''), 'hex'),
    ),
  );
}

function wanted(field: Field): string {
  if (field.kind === 'text') return 'a string, or an array with one for each row';
  const what = field.kind === 'bytes' ? 'bytes' : `an ${field.kind} file`;
  return `${what} as a data URL or in base64 (on /v1 also by URL), or an array with one for each row`;
}
