import { type Batch, type BatchResult, type Outcome, runIsolating } from '@quern/batcher';
import { QuernError, toQuernError } from '@quern/contract';
import { INLINE_PAYLOAD_BYTES, type JobResult } from '@quern/queue';
import {
  type RunnerBatch,
  type RunnerBatchResult,
  RunnerFault,
  type RunnerOutcome,
  type RunnerResult,
} from '@quern/runtime';
import type { BatchMember } from './batch-entry.ts';
import type { InputGuard } from './input-guard.ts';

/** What runs a batch; a `RunnerPool` is one. */
export interface BatchRunner {
  run(batch: RunnerBatch): Promise<RunnerBatchResult>;
}

export interface ExecuteOptions {
  readonly runner: BatchRunner;
  /** Unique for this batch over all workers. */
  readonly batchId: string;
  readonly executionProvider: string;
  /** Whether the runner is to pad to the batch's lane; else entries have its exact shapes. */
  readonly isPadded?: boolean;
  /** Leaves out what is in quarantine, and counts what kills runners. */
  readonly guard?: InputGuard;
  /** Told of each run that went through. */
  readonly onRun: (ran: RanBatch) => void;
  /** Told of each run that failed as a whole. */
  readonly onFault: (error: QuernError) => void;
  /** Told how many runs it took to find the entries at fault. */
  readonly onReruns: (reruns: number) => void;
  /** Runs an input that is known to be good, where there is one; rejects if even that fails. */
  readonly control?: (() => Promise<void>) | undefined;
  /** Whether the model is known to be broken; waits for a check that is under way. */
  readonly isModelBroken?: () => Promise<boolean>;
}

/** A run that went through, with its times. */
export interface RanBatch extends RunnerBatchResult {
  readonly rows: number;
  readonly predictions: number;
  readonly meanQueueMs: number;
}

type Predictions = readonly BatchMember[];

/** A batch whose runner died before it started is handed to another this often. */
const MAX_HANDOVERS = 5;

/**
 * Runs a batch and gives each prediction its own outcome. A run that fails as a whole is bisected, so
 * that only the predictions at fault fail. A hung run is not: each trial would take the whole timeout,
 * so its predictions are retried one by one instead (see `toEntry`).
 */
export async function executeBatch(
  batch: Batch<BatchMember>,
  options: ExecuteOptions,
): Promise<BatchResult<JobResult>> {
  const predictions = batch.entries.map((entry) => entry.payload);
  const { outcomes, reruns, verdict } = await runIsolating<BatchMember, JobResult>(
    predictions,
    (part) => runGuarded(part, batch, options),
    {
      bisectable: (error) => isBisectable(toQuernError(error)),
      ...(options.control !== undefined && { control: options.control }),
    },
  );
  if (reruns > 0) options.onReruns(reruns);
  const isModelAtFault =
    verdict === 'model_fault' ||
    (outcomes.some(isRunFault) && (await options.isModelBroken?.()) === true);
  return {
    outcomes: outcomes.map((outcome) =>
      withRuns(isModelAtFault ? withoutBlame(outcome) : outcome, reruns),
    ),
    timeIsTypical: reruns === 0,
  };
}

/** Notes in a summary what it took to save it from its neighbours. */
function withRuns(outcome: Outcome<JobResult>, reruns: number): Outcome<JobResult> {
  if (!outcome.ok || reruns === 0) return outcome;
  return { ok: true, value: { ...outcome.value, reruns } };
}

/** Whether a run failed: not the entry by itself, say for want of its input, and not for want of a run. */
function isRunFault(outcome: Outcome<JobResult>): boolean {
  if (outcome.ok || !(outcome.error instanceof RunnerFault)) return false;
  return outcome.error.started && outcome.error.code !== 'SHUTTING_DOWN';
}

/** The model is at fault: the prediction may be tried again, by another worker or when it has healed. */
function withoutBlame(outcome: Outcome<JobResult>): Outcome<JobResult> {
  if (outcome.ok || !isRunFault(outcome)) return outcome;
  const { message } = toQuernError(outcome.error);
  const text = `the model fails for an input that it has run before, too: ${message}`;
  return { ok: false, error: new QuernError('MODEL_UNAVAILABLE', text, { cause: outcome.error }) };
}

function isBisectable({ code }: QuernError): boolean {
  return code === 'INFERENCE_FAILED' || code === 'OUT_OF_MEMORY' || code === 'RUNNER_CRASHED';
}

function runGuarded(
  predictions: Predictions,
  batch: Batch<BatchMember>,
  options: ExecuteOptions,
): Promise<readonly Outcome<JobResult>[]> {
  const run = (part: Predictions) => runTogether(part, batch, options);
  return options.guard === undefined ? run(predictions) : options.guard.run(predictions, run);
}

async function runTogether(
  predictions: Predictions,
  { reason, lane }: Batch<BatchMember>,
  options: ExecuteOptions,
): Promise<Outcome<JobResult>[]> {
  const result = await runEntries(predictions, options, lane);
  const endedAtMs = Date.now();
  const startedAtMs = endedAtMs - result.storeMs - result.splitMs - result.inferenceMs;
  const queueTimesMs = predictions.map(({ createdAtMs }) => Math.max(0, startedAtMs - createdAtMs));
  const rows = predictions.reduce((sum, { data }) => sum + data.rows, 0);
  options.onRun({
    ...result,
    rows,
    predictions: predictions.length,
    meanQueueMs: queueTimesMs.reduce((sum, timeMs) => sum + timeMs, 0) / predictions.length,
  });
  const shared = {
    batchId: options.batchId,
    batchRows: rows,
    batchEntries: predictions.length,
    reason,
    startedAtMs: Math.round(startedAtMs),
    collateTimeMs: round(result.collateMs),
    inferenceTimeMs: round(result.inferenceMs),
    splitTimeMs: round(result.splitMs),
    storeTimeMs: round(result.storeMs),
    executionProvider: options.executionProvider,
    ...(result.paddingRatio > 0 && { paddingRatio: result.paddingRatio }),
  };
  return result.outcomes.map((outcome, i) =>
    toJobOutcome(outcome, { ...shared, queueTimeMs: round(queueTimesMs[i] ?? 0) }),
  );
}

async function runEntries(
  predictions: Predictions,
  { runner, batchId, onFault, isPadded = false }: ExecuteOptions,
  lane: string,
): Promise<RunnerBatchResult> {
  const entries = predictions.map(({ id, data, input, resultKey, rowRange }) => ({
    id,
    rows: data.rows,
    input,
    resultKey,
    ...(data.outputs !== undefined && { outputs: data.outputs }),
    ...(rowRange !== undefined && { rowRange }),
  }));
  try {
    const inlineResultBytes = INLINE_PAYLOAD_BYTES;
    const padded = isPadded ? { lane } : {};
    return await runHandingOver(runner, { batchId, entries, inlineResultBytes, ...padded });
  } catch (error) {
    onFault(toQuernError(error));
    throw error;
  }
}

/**
 * Runs on another runner where one died before the model saw the batch.
 * @throws RunnerFault as `RunnerPool.run`
 */
export async function runHandingOver(
  runner: BatchRunner,
  batch: RunnerBatch,
): Promise<RunnerBatchResult> {
  for (let handovers = 0; ; handovers++) {
    try {
      return await runner.run(batch);
    } catch (error) {
      const hasStarted = !(error instanceof RunnerFault) || error.started;
      if (hasStarted || handovers === MAX_HANDOVERS) throw error;
    }
  }
}

function toJobOutcome(
  outcome: RunnerOutcome,
  summary: Omit<JobResult, 'bytes' | 'output' | 'outputKey'>,
): Outcome<JobResult> {
  if (outcome.ok) return { ok: true, value: { ...summary, ...resultReference(outcome.result) } };
  const { code, message, retryable } = outcome.error;
  return { ok: false, error: new QuernError(code, message, { retryable }) };
}

/** The part of a job's summary that holds its output, or says where it lies. */
export function resultReference(
  result: RunnerResult,
): Pick<JobResult, 'bytes' | 'output' | 'outputKey'> {
  if ('key' in result) return { bytes: result.bytes, outputKey: result.key };
  const { buffer, byteOffset, byteLength } = result.inline;
  return {
    bytes: byteLength,
    output: Buffer.from(buffer, byteOffset, byteLength).toString('base64'),
  };
}

/** Times in job summaries are for people: a microsecond is fine enough. */
export function round(timeMs: number): number {
  return Math.round(timeMs * 1000) / 1000;
}
