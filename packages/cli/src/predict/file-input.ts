import { isUtf8 } from 'node:buffer';
import { readFile } from 'node:fs/promises';
import { UsageError } from '../exit-codes.ts';
import type { ModelView, TensorView } from '../models/model-view.ts';
import { tensorText } from '../output/readable-numbers.ts';
import type { PredictionInput } from './read-input.ts';

/** What begins so is JSON, whatever a file is called; editors on Windows put a mark before it. */
const JSON_START = /^\uFEFF?\s*\{/;
const TEXT_CHECKED_BYTES = 1024;

/** A file that is sent as it is: a picture, a sound, a text. */
export interface InputFile {
  readonly path: string;
  readonly bytes: Buffer;
}

/**
 * Reads the file that an argument names, if it holds no JSON.
 * @returns undefined for JSON, standard input and what cannot be read
 */
export async function readInputFile(argument: string): Promise<InputFile | undefined> {
  if (argument === '-' || JSON_START.test(argument)) return undefined;
  if (argument.toLowerCase().endsWith('.json')) return undefined;
  const bytes = await readFile(argument).catch(() => undefined);
  if (bytes === undefined) return undefined;
  const start = bytes.subarray(0, TEXT_CHECKED_BYTES).toString('utf8');
  return JSON_START.test(start) ? undefined : { path: argument, bytes };
}

/**
 * A file as the input of a model that takes one picture, sound, text or other bytes.
 * @param version the one that is asked for; undefined for the newest one that is known
 * @throws UsageError that says what the model takes instead
 */
export function inputFromFile(
  { path, bytes }: InputFile,
  model: ModelView,
  version: string | undefined,
): PredictionInput {
  const inputs = inputsOf(model, version);
  const wanted = inputs.filter(({ mask_of: maskOf }) => maskOf === undefined);
  const [only] = wanted;
  const kind = only?.field?.kind;
  if (only === undefined || wanted.length > 1 || kind === undefined || kind === 'record') {
    const takes = wanted.map(tensorText).join('; ') || 'what no worker has read yet';
    throw new UsageError(
      `${path} holds no JSON object, and ${model.name} does not take one file alone. It takes ${takes}: give JSON.`,
    );
  }
  if (kind !== 'text') return { [only.name]: bytes.toString('base64') };
  if (!isUtf8(bytes)) {
    throw new UsageError(`${path} is not UTF-8, but ${model.name} takes a text as ${only.name}.`);
  }
  return { [only.name]: bytes.toString('utf8') };
}

function inputsOf({ versions }: ModelView, wanted: string | undefined): readonly TensorView[] {
  const known = versions.filter(({ version, inputs }) => {
    return inputs !== null && (wanted === undefined || version === wanted);
  });
  return (known.find(({ state }) => state === 'ready') ?? known[0])?.inputs ?? [];
}
