import type { Priority, WirePrediction } from '@quern/contract';
import type { ApiClient } from '../api-client.ts';
import { ApiRefusal, ApiUnreachable } from '../api-errors.ts';
import { EXIT_CODES, type ExitCode } from '../exit-codes.ts';
import { jsonText } from '../output/json-text.ts';
import { durationText } from '../output/readable-numbers.ts';
import { labelText, rankLabels } from '../output/top-labels.ts';
import { StatusLine, type Terminal } from '../terminal.ts';
import { awaitPrediction } from './await-prediction.ts';
import type { PredictionInput } from './read-input.ts';

export interface PredictOptions {
  readonly client: ApiClient;
  readonly terminal: Terminal;
  readonly model: string;
  readonly input: PredictionInput;
  readonly version?: string | undefined;
  readonly priority?: Priority | undefined;
  readonly timeoutMs?: number | undefined;
  /** Prints the whole prediction object. */
  readonly json: boolean;
  /** Aborted by Ctrl-C: the prediction is cancelled. */
  readonly interrupt: AbortSignal;
  /** Aborted by another Ctrl-C: the cancellation is not waited for any more. */
  readonly abandon: AbortSignal;
}

const SHOWN_LABELS = 3;
const SHOWN_ROWS = 10;
/** Short enough to show that it has begun to run, where somebody looks. */
const WATCHED_WAIT_SECONDS = 1;
const WAIT_SECONDS = 30;

/**
 * Makes a prediction, waits for it and prints its output. Standard output gets JSON alone; status,
 * labels, times and errors go to standard error.
 * @throws ApiRefusal or ApiUnreachable
 */
export async function predict(options: PredictOptions): Promise<ExitCode> {
  const startedAtMs = performance.now();
  const status = new StatusLine(options.terminal.err, `${options.model}: sending`);
  const showStatus = (text: string): void => status.update(`${options.model}: ${text}`);
  let prediction: WirePrediction | undefined;
  try {
    prediction = await createAndWait(options, showStatus);
  } finally {
    status.end();
  }
  if (prediction === undefined) {
    options.terminal.err.write('Interrupted before the prediction was accepted.\n');
    return EXIT_CODES.interrupted;
  }
  return report(prediction, performance.now() - startedAtMs, options);
}

/** @returns undefined if it was interrupted before there was a prediction */
async function createAndWait(
  options: PredictOptions,
  onStatus: (status: string) => void,
): Promise<WirePrediction | undefined> {
  const { client, interrupt, model, version, input, priority, timeoutMs } = options;
  let accepted: WirePrediction;
  try {
    const order = { model, version, input, priority, timeoutMs };
    accepted = await client.create(order, { signal: interrupt });
  } catch (error) {
    if (interrupt.aborted) return undefined;
    throw error;
  }
  const waitSeconds = options.terminal.err.isTTY ? WATCHED_WAIT_SECONDS : WAIT_SECONDS;
  try {
    return await awaitPrediction(client, accepted, { signal: interrupt, waitSeconds, onStatus });
  } catch (error) {
    // It may have ended in the meantime; then that is the answer.
    if (interrupt.aborted) return await client.cancel(accepted.id, { signal: options.abandon });
    if (error instanceof ApiUnreachable) {
      options.terminal.err.write(
        `Prediction ${accepted.id} was accepted and goes on. Read it later: GET ${accepted.urls.get}\n`,
      );
    }
    throw error;
  }
}

async function report(
  prediction: WirePrediction,
  elapsedMs: number,
  options: PredictOptions,
): Promise<ExitCode> {
  const { terminal, json, interrupt } = options;
  if (json) terminal.out.write(`${jsonText(prediction)}\n`);
  if (prediction.status !== 'succeeded') {
    terminal.err.write(`${describeFailure(prediction)}\n`);
    const wasInterrupted = interrupt.aborted && prediction.status === 'canceled';
    return wasInterrupted ? EXIT_CODES.interrupted : EXIT_CODES.failed;
  }
  if (!json) {
    terminal.out.write(`${jsonText(prediction.output)}\n`);
    terminal.err.write(await labelLines(prediction, options.client));
  }
  terminal.err.write(`${timesText(prediction, elapsedMs)}\n`);
  return EXIT_CODES.ok;
}

function describeFailure({ error, status, id }: WirePrediction): string {
  if (error !== null) return `${error.code}: ${error.message}`;
  return status === 'canceled'
    ? `CANCELED: prediction ${id} was canceled.`
    : `${status.toUpperCase()}: prediction ${id} ended without a result.`;
}

/** A classifier's best labels; nothing for any other model, or if the API cannot be asked any more. */
async function labelLines(prediction: WirePrediction, client: ApiClient): Promise<string> {
  const labels = await labelsOf(prediction, client);
  const rows = rankLabels(prediction.output ?? {}, labels, SHOWN_LABELS);
  const lines = rows
    .slice(0, SHOWN_ROWS)
    .map(
      (row, index) => `${rows.length > 1 ? `row ${index}: ` : ''}${row.map(labelText).join(', ')}`,
    );
  if (rows.length > SHOWN_ROWS) lines.push(`... and ${rows.length - SHOWN_ROWS} more rows`);
  return lines.map((line) => `${line}\n`).join('');
}

async function labelsOf(
  { model, version }: WirePrediction,
  client: ApiClient,
): Promise<readonly string[]> {
  try {
    const view = await client.model(model);
    return view.versions.find((item) => item.version === version)?.labels ?? [];
  } catch (error) {
    if (error instanceof ApiRefusal || error instanceof ApiUnreachable) return [];
    throw error;
  }
}

/** `12 ms (queue 1.2 ms, inference 0.4 ms, batch of 3)` */
export function timesText({ metrics }: WirePrediction, elapsedMs: number): string {
  const parts = [
    metrics.queue_time_ms !== undefined && `queue ${durationText(metrics.queue_time_ms)}`,
    metrics.inference_time_ms !== undefined &&
      `inference ${durationText(metrics.inference_time_ms)}`,
    metrics.batch_size !== undefined && metrics.batch_size > 1 && `batch of ${metrics.batch_size}`,
    metrics.attempts > 1 && `${metrics.attempts} attempts`,
  ].filter((part) => part !== false);
  const details = parts.length === 0 ? '' : ` (${parts.join(', ')})`;
  return `${durationText(elapsedMs)}${details}`;
}
