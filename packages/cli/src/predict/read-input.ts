import { readFile } from 'node:fs/promises';
import { parseJson, show } from '@quern/contract';
import { UsageError } from '../exit-codes.ts';

/** Tensors by name, as the API's `input` takes them. */
export type PredictionInput = Readonly<Record<string, unknown>>;

/**
 * Reads the inputs of a prediction.
 * @param argument a JSON file's path, JSON itself, or `-` for standard input; `{"input": {...}}` (with
 *   other keys, which are passed over) or the tensors themselves
 * @throws UsageError that names the source and what is wrong with it
 */
export async function readInput(
  argument: string,
  stdin: AsyncIterable<Buffer | string>,
): Promise<PredictionInput> {
  const { text, source } = await readSource(argument, stdin);
  return inputOf(parseSource(text, source), source);
}

async function readSource(
  argument: string,
  stdin: AsyncIterable<Buffer | string>,
): Promise<{ text: string; source: string }> {
  if (argument === '-') return { text: await readAll(stdin), source: 'standard input' };
  if (argument.trimStart().startsWith('{')) return { text: argument, source: 'INPUT' };
  try {
    return { text: await readFile(argument, 'utf8'), source: argument };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(
      `INPUT is ${JSON.stringify(argument)}, which cannot be read as a file (${reason}). ` +
        'Give a JSON file, JSON in quotes that begins with {, or - for standard input.',
    );
  }
}

async function readAll(stdin: AsyncIterable<Buffer | string>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stdin) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString('utf8');
}

function parseSource(text: string, source: string): unknown {
  if (text.trim() === '') throw new UsageError(`${source} is empty, expected JSON.`);
  try {
    // Editors on Windows begin a file with a byte order mark.
    return parseJson(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined;
    const reason = cause instanceof Error ? cause.message : String(error);
    throw new UsageError(`${source} is not valid JSON: ${reason}`);
  }
}

/**
 * The input that JSON stands for, as `readInput` says.
 * @throws UsageError
 */
export function inputOf(json: unknown, source: string): PredictionInput {
  if (!isObject(json)) {
    throw new UsageError(
      `${source} holds ${show(json)}, expected {"input": {...}} or an object of tensors by name.`,
    );
  }
  const { input } = json;
  // A model may have a tensor that is called "input".
  return isObject(input) && !isTensor(input) ? input : json;
}

/** `{"shape": ..., "data" or "b64": ...}` is one tensor, and not tensors by name. */
function isTensor(value: Readonly<Record<string, unknown>>): boolean {
  return Array.isArray(value['shape']) && ('data' in value || 'b64' in value);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
