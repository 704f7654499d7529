import { type FileHandle, open, unlink } from 'node:fs/promises';
import { parseJson, stringifyJson, type WirePrediction } from '@quern/contract';
import { z } from 'zod';
import { UsageError } from '../exit-codes.ts';

/** How a line of the input ended; in the files as OpenAI's batches have it, with the line's number. */
export interface LineResult {
  readonly line: number;
  readonly customId: string;
  readonly prediction?: WirePrediction | undefined;
  readonly error?: { readonly code: string; readonly message: string };
}

/** The last line of the input whose result is in the files. */
export interface LastResult {
  readonly line: number;
  readonly customId: string;
}

const writtenSchema = z.object({ line: z.number().int().positive(), custom_id: z.string() });
const CHUNK_BYTES = 65_536;
const LINE_FEED = 0x0a;

/**
 * Where the results of a batch go: outputs into one file, errors into another, in the order of the
 * input and one write after the other. So whatever ends the process, the files hold the results of the
 * first lines, each once, and at most the beginning of one more, which is cut off when they are opened.
 */
export class ResultFiles {
  /** Undefined at the beginning. */
  readonly last: LastResult | undefined;
  readonly #outputs: FileHandle;
  readonly #errors: FileHandle;
  readonly #errorsPath: string;
  #closing: Promise<void> | undefined;

  private constructor(
    handles: readonly [FileHandle, FileHandle],
    errorsPath: string,
    last: LastResult | undefined,
  ) {
    [this.#outputs, this.#errors] = handles;
    this.#errorsPath = errorsPath;
    this.last = last;
  }

  /** @throws UsageError if a file cannot be opened, or holds something else */
  static async open(outputsPath: string, errorsPath: string): Promise<ResultFiles> {
    const outputs = await openForAppending(outputsPath);
    let errors: FileHandle | undefined;
    try {
      errors = await openForAppending(errorsPath);
      const ends = [
        await lastResult(outputs, outputsPath),
        await lastResult(errors, errorsPath),
      ].filter((end) => end !== undefined);
      const last = ends.sort((a, b) => b.line - a.line)[0];
      return new ResultFiles([outputs, errors], errorsPath, last);
    } catch (error) {
      await outputs.close();
      await errors?.close();
      throw error;
    }
  }

  /** Adds the result of the next line; to be awaited before the one after. */
  async append({ line, customId, prediction, error }: LineResult): Promise<void> {
    const id = prediction?.id ?? null;
    const response =
      error === undefined ? { status_code: 200, request_id: id, body: prediction } : null;
    const text = stringifyJson(
      { id, line, custom_id: customId, response, error: error ?? null },
      true,
    );
    await (error === undefined ? this.#outputs : this.#errors).appendFile(`${text}\n`);
  }

  /** Leaves no empty file of errors. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { size } = await this.#errors.stat();
    await Promise.all([this.#outputs.close(), this.#errors.close()]);
    if (size === 0) await unlink(this.#errorsPath);
  }
}

async function openForAppending(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'a+');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(`${path} cannot be written (${reason}).`);
  }
}

/** The last whole line of a file; what stands behind it is cut off. */
async function lastResult(file: FileHandle, path: string): Promise<LastResult | undefined> {
  const { size } = await file.stat();
  const end = (await lineFeedBefore(file, size)) + 1;
  if (end < size) await assertOurs(file, path, end, size);
  if (end < size) await file.truncate(end);
  if (end === 0) return undefined;
  const start = (await lineFeedBefore(file, end - 1)) + 1;
  const text = await readText(file, start, end);
  try {
    const { line, custom_id: customId } = writtenSchema.parse(parseJson(text));
    return { line, customId };
  } catch {
    throw notResults(path);
  }
}

const RESULT_START = '{"id":';

/** Nothing is cut off a file that somebody else wrote. */
async function assertOurs(
  file: FileHandle,
  path: string,
  start: number,
  end: number,
): Promise<void> {
  const begun = await readText(file, start, Math.min(end, start + RESULT_START.length));
  if (!RESULT_START.startsWith(begun)) throw notResults(path);
}

function notResults(path: string): UsageError {
  return new UsageError(
    `${path} exists and does not hold results of \`quern batch\`. Name another file, or remove it.`,
  );
}

/** Where the last line feed before `end` is; -1 if there is none. */
async function lineFeedBefore(file: FileHandle, end: number): Promise<number> {
  const chunk = Buffer.alloc(CHUNK_BYTES);
  for (let stop = end; stop > 0; ) {
    const start = Math.max(0, stop - CHUNK_BYTES);
    const { bytesRead } = await file.read(chunk, 0, stop - start, start);
    const found = chunk.subarray(0, bytesRead).lastIndexOf(LINE_FEED);
    if (found !== -1) return start + found;
    stop = start;
  }
  return -1;
}

async function readText(file: FileHandle, start: number, end: number): Promise<string> {
  const bytes = Buffer.alloc(end - start);
  const { bytesRead } = await file.read(bytes, 0, bytes.byteLength, start);
  return bytes.subarray(0, bytesRead).toString('utf8');
}
