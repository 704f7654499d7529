import { parseJson, QuernError, show } from '@quern/contract';
import { inputOf, type PredictionInput } from '../predict/read-input.ts';
import type { SourceLine } from './json-lines.ts';

/** What a line of a batch asks for. */
export interface RequestLine {
  readonly customId: string;
  /** The input, or why there is none. */
  readonly input: PredictionInput | QuernError;
}

/**
 * Reads a line: `{"image": ...}`, `{"input": {...}, "custom_id"?}`, or as OpenAI's batches have it,
 * `{"custom_id", "method"?, "url"?, "body": {"input": {...}}}`. Without a `custom_id` a line is called
 * by its number.
 */
export function readRequestLine({ number, text }: SourceLine, model: string): RequestLine {
  const customId = String(number);
  if (text === undefined) {
    const error = new QuernError('PAYLOAD_TOO_LARGE', `line ${number}: it is too long`);
    return { customId, input: error };
  }
  let json: unknown;
  try {
    json = parseJson(text);
  } catch (error) {
    return { customId, input: atLine(number, error) };
  }
  if (!isObject(json)) return { customId, input: readInputOf(json, number) };
  const { custom_id: named, body } = json;
  if (typeof named !== 'string') return { customId, input: readInputOf(json, number) };
  if (!isObject(body)) {
    const { custom_id: _, ...fields } = json;
    return { customId: named, input: readInputOf(fields, number) };
  }
  const fault = addressFault(json, model);
  if (fault !== undefined) {
    return {
      customId: named,
      input: new QuernError('INVALID_REQUEST', `line ${number}: ${fault}`),
    };
  }
  return { customId: named, input: readInputOf(body, number) };
}

/** A line names method and path as OpenAI's clients write them; both must mean this model. */
function addressFault(
  { method, url }: Readonly<Record<string, unknown>>,
  model: string,
): string | undefined {
  if (method !== undefined && method !== 'POST') {
    return `method: got ${show(method)}, expected "POST"`;
  }
  const expected = `/v1/models/${model}/predictions`;
  if (url === undefined || url === expected) return undefined;
  return `url: got ${show(url)}, expected ${show(expected)}`;
}

function readInputOf(json: unknown, number: number): PredictionInput | QuernError {
  try {
    return inputOf(json, `line ${number}`);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return new QuernError('INVALID_REQUEST', message);
  }
}

function atLine(number: number, error: unknown): QuernError {
  const message = error instanceof Error ? error.message : String(error);
  return new QuernError('INVALID_JSON', `line ${number}: ${message}`);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
