import { setMaxListeners } from 'node:events';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { type Priority, QuernError } from '@quern/contract';
import type { ApiClient } from '../api-client.ts';
import { EXIT_CODES, type ExitCode, UsageError } from '../exit-codes.ts';
import type { Terminal } from '../terminal.ts';
import { BatchProgress } from './batch-progress.ts';
import { readLines, type SourceLine } from './json-lines.ts';
import { readRequestLine } from './request-line.ts';
import { type LastResult, type LineResult, ResultFiles } from './result-files.ts';
import { isOfOneLine, runLine } from './run-line.ts';

export interface BatchOptions {
  readonly client: ApiClient;
  readonly terminal: Terminal;
  readonly model: string;
  readonly version?: string | undefined;
  readonly priority: Priority;
  readonly inputPath: string;
  readonly outputPath: string;
  readonly errorsPath: string;
  /** Predictions at a time. */
  readonly concurrency: number;
  /** Aborted by Ctrl-C: what is done is kept, and the same command goes on from there. */
  readonly interrupt: AbortSignal;
}

/** Longer lines are errors; the API takes no larger bodies by default either. */
const MAX_LINE_BYTES = 33_554_432;

/** A line that was taken up: how it ended, or what stops the batch. */
interface TakenLine {
  readonly endByte: number;
  readonly ended: Promise<LineResult | { readonly stop: unknown }>;
}

/**
 * Predicts every line of a file and writes results in the order of the lines. A window of lines is in
 * flight, and the oldest is waited for: memory does not grow with the file. Results that are in the
 * files already are kept, and their lines passed over.
 * @throws UsageError for files that cannot be used; ApiRefusal or ApiUnreachable for what stops all lines
 */
export async function runBatch(options: BatchOptions): Promise<ExitCode> {
  const { terminal, interrupt, errorsPath } = options;
  const totalBytes = await sizeOf(options.inputPath);
  const results = await ResultFiles.open(options.outputPath, errorsPath);
  const progress = new BatchProgress(terminal.err, totalBytes);
  try {
    await predictLines(options, results, progress);
  } catch (error) {
    progress.end();
    if (!interrupt.aborted) throw error;
    terminal.err.write(
      `Interrupted after ${progress.summary()}. The same command goes on from here.\n`,
    );
    return EXIT_CODES.interrupted;
  } finally {
    progress.end();
    await results.close();
  }
  const where = progress.failed === 0 ? '' : `, see ${errorsPath}`;
  terminal.err.write(`${progress.summary()}${where}\n`);
  return progress.failed === 0 ? EXIT_CODES.ok : EXIT_CODES.failed;
}

async function predictLines(
  options: BatchOptions,
  results: ResultFiles,
  progress: BatchProgress,
): Promise<void> {
  const halt = new AbortController();
  const signal = AbortSignal.any([options.interrupt, halt.signal]);
  // Every line in flight listens to it.
  setMaxListeners(0, signal);
  const taken: TakenLine[] = [];
  const settleOldest = async (): Promise<void> => {
    const oldest = taken.shift();
    if (oldest === undefined) return;
    const result = await oldest.ended;
    if ('stop' in result) throw result.stop;
    await results.append(result);
    progress.lineEnded(oldest.endByte, result.error !== undefined);
  };
  try {
    for await (const line of remainingLines(options, results.last, progress)) {
      taken.push({ endByte: line.endByte, ended: predictLine(options, line, signal) });
      if (taken.length >= options.concurrency) await settleOldest();
    }
    while (taken.length > 0) await settleOldest();
  } finally {
    halt.abort();
    await Promise.all(taken.map(({ ended }) => ended));
  }
}

/** The lines that have no result yet. */
async function* remainingLines(
  { inputPath, model }: BatchOptions,
  last: LastResult | undefined,
  progress: BatchProgress,
): AsyncGenerator<SourceLine, void> {
  const source: AsyncIterable<Buffer> = createReadStream(inputPath);
  let hasFoundLast = last === undefined;
  for await (const line of readLines(source, MAX_LINE_BYTES)) {
    if (last === undefined || line.number > last.line) {
      if (!hasFoundLast) break;
      yield line;
      continue;
    }
    progress.skipped(line.endByte);
    if (line.number === last.line) {
      hasFoundLast = readRequestLine(line, model).customId === last.customId;
    }
  }
  if (!hasFoundLast) {
    throw new UsageError(
      `The results that are there already are not of ${inputPath}: they end with line ${last?.line}, ` +
        `${JSON.stringify(last?.customId)}. Name another output file, or remove them.`,
    );
  }
}

async function predictLine(
  options: BatchOptions,
  line: SourceLine,
  signal: AbortSignal,
): Promise<LineResult | { readonly stop: unknown }> {
  const { client, model, version, priority } = options;
  const { customId, input } = readRequestLine(line, model);
  const of = { line: line.number, customId };
  if (input instanceof QuernError) return { ...of, error: errorOf(input) };
  try {
    const prediction = await runLine(client, { model, version, input, priority }, signal);
    if (prediction.status === 'succeeded') return { ...of, prediction };
    const { error, status } = prediction;
    const ended = { code: 'CANCELED', message: `The prediction ended as ${status}.` };
    return { ...of, prediction, error: error === null ? ended : errorOf(error) };
  } catch (error) {
    return isOfOneLine(error) ? { ...of, error: errorOf(error) } : { stop: error };
  }
}

function errorOf({ code, message }: { readonly code: string; readonly message: string }) {
  return { code, message };
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(`${path} cannot be read (${reason}).`);
  }
}
