import { type Batch, type BatchResult, type Outcome, runIsolating } from '@quern/batcher';
import { QuernError, toQuernError } from '@quern/contract';
import { INLINE_PAYLOAD_BYTES, type JobResult, type QueuedPrediction } from '@quern/queue';
import {
  type RunnerBatch,
  type RunnerBatchResult,
  RunnerFault,
  type RunnerOutcome,
  type RunnerResult,
} from '@quern/runtime';

/** What runs a batch; a `RunnerPool` is one. */
export interface BatchRunner {
  run(batch: RunnerBatch): Promise<RunnerBatchResult>;
}

export interface ExecuteOptions {
  readonly runner: BatchRunner;
  /** Unique for this batch over all workers. */
  readonly batchId: string;
  readonly executionProvider: string;
  /** Told of each run that went through. */
  readonly onRun: (ran: RanBatch) => void;
  /** Told of each run that failed as a whole. */
  readonly onFault: (error: QuernError) => void;
  /** Told how many runs it took to find the entries at fault. */
  readonly onReruns: (reruns: number) => void;
}

/** A run that went through, with its times. */
export interface RanBatch extends RunnerBatchResult {
  readonly rows: number;
  readonly predictions: number;
  readonly meanQueueMs: number;
}

type Predictions = readonly QueuedPrediction[];

/** A batch whose runner died before it started is handed to another this often. */
const MAX_HANDOVERS = 5;

/**
 * Runs a batch and gives each prediction its own outcome. A run that fails as a whole is bisected, so
 * that only the predictions at fault fail. A hung run is not: each trial would take the whole timeout,
 * so its predictions are retried one by one instead (see `toEntry`).
 */
export async function executeBatch(
  batch: Batch<QueuedPrediction>,
  options: ExecuteOptions,
): Promise<BatchResult<JobResult>> {
  const predictions = batch.entries.map((entry) => entry.payload);
  const { outcomes, reruns } = await runIsolating<QueuedPrediction, JobResult>(
    predictions,
    (part) => runTogether(part, batch.reason, options),
    { bisectable: (error) => isBisectable(toQuernError(error)) },
  );
  if (reruns > 0) options.onReruns(reruns);
  return { outcomes, timeIsTypical: reruns === 0 };
}

function isBisectable({ code }: QuernError): boolean {
  return code === 'INFERENCE_FAILED' || code === 'OUT_OF_MEMORY' || code === 'RUNNER_CRASHED';
}

async function runTogether(
  predictions: Predictions,
  reason: string,
  options: ExecuteOptions,
): Promise<Outcome<JobResult>[]> {
  const result = await runHandingOver(predictions, options);
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
  };
  return result.outcomes.map((outcome, i) =>
    toJobOutcome(outcome, { ...shared, queueTimeMs: round(queueTimesMs[i] ?? 0) }),
  );
}

/** Runs on another runner where one died before the model saw the batch. */
async function runHandingOver(
  predictions: Predictions,
  { runner, batchId, onFault }: ExecuteOptions,
): Promise<RunnerBatchResult> {
  const entries = predictions.map(({ id, data, input, resultKey }) => ({
    id,
    rows: data.rows,
    input,
    resultKey,
    ...(data.outputs !== undefined && { outputs: data.outputs }),
  }));
  for (let handovers = 0; ; handovers++) {
    try {
      return await runner.run({ batchId, entries, inlineResultBytes: INLINE_PAYLOAD_BYTES });
    } catch (error) {
      const hasStarted = !(error instanceof RunnerFault) || error.started;
      if (hasStarted || handovers === MAX_HANDOVERS) {
        onFault(toQuernError(error));
        throw error;
      }
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

function resultReference(result: RunnerResult): Pick<JobResult, 'bytes' | 'output' | 'outputKey'> {
  if ('key' in result) return { bytes: result.bytes, outputKey: result.key };
  const { buffer, byteOffset, byteLength } = result.inline;
  return {
    bytes: byteLength,
    output: Buffer.from(buffer, byteOffset, byteLength).toString('base64'),
  };
}

/** Times in job summaries are for people: a microsecond is fine enough. */
function round(timeMs: number): number {
  return Math.round(timeMs * 1000) / 1000;
}
