import { QuernError } from '@quern/contract';
import { INLINE_PAYLOAD_BYTES, type JobResult, type QueuedPrediction } from '@quern/queue';
import type { RunnerPayload } from '@quern/runtime';
import { type BatchRunner, resultReference, round, runHandingOver } from './execute-batch.ts';
import type { RanPart } from './large-prediction.ts';

/**
 * Has a runner put the results of a prediction's parts together, and sums the parts up.
 * @param parts all of them, in the order of their rows
 * @throws QuernError why it cannot be done; RunnerFault if no runner is left to do it
 */
export async function assembleResult(
  prediction: QueuedPrediction,
  parts: readonly RanPart[],
  runner: BatchRunner,
): Promise<JobResult> {
  const { id, data, resultKey } = prediction;
  const startedAtMs = performance.now();
  const entry = { id, rows: data.rows, resultKey, input: { parts: parts.map(payloadOf) } };
  const { outcomes } = await runHandingOver(runner, {
    batchId: `${id} put together`,
    entries: [entry],
    inlineResultBytes: INLINE_PAYLOAD_BYTES,
  });
  const [outcome] = outcomes;
  if (outcome === undefined) throw new QuernError('INTERNAL', 'the assembly had no outcome');
  if (!outcome.ok) {
    const { code, message, retryable } = outcome.error;
    throw new QuernError(code, message, { retryable });
  }
  const summary = sumUp(parts, round(performance.now() - startedAtMs));
  return { ...summary, ...resultReference(outcome.result) };
}

function payloadOf({ result: { output, outputKey } }: RanPart): RunnerPayload {
  if (outputKey !== undefined) return { key: outputKey };
  return { inline: Buffer.from(output ?? '', 'base64') };
}

/** The summary of a prediction that ran in parts; `JobResult.parts` says what its fields mean then. */
function sumUp(
  parts: readonly RanPart[],
  assembleTimeMs: number,
): Omit<JobResult, 'bytes' | 'output' | 'outputKey'> {
  const results = parts.map(({ result }) => result).sort((a, b) => a.startedAtMs - b.startedAtMs);
  const [first] = results;
  if (first === undefined) throw new QuernError('INTERNAL', 'a prediction without parts ran');
  // Parts of one batch share its times.
  const batches = [...new Map(results.map((result) => [result.batchId, result])).values()];
  const sum = (pick: (result: JobResult) => number): number =>
    round(batches.reduce((total, result) => total + pick(result), 0));
  return {
    batchId: first.batchId,
    batchRows: Math.max(...batches.map(({ batchRows }) => batchRows)),
    batchEntries: Math.max(...batches.map(({ batchEntries }) => batchEntries)),
    reason: first.reason,
    startedAtMs: first.startedAtMs,
    queueTimeMs: first.queueTimeMs,
    collateTimeMs: sum(({ collateTimeMs }) => collateTimeMs),
    inferenceTimeMs: sum(({ inferenceTimeMs }) => inferenceTimeMs),
    splitTimeMs: sum(({ splitTimeMs }) => splitTimeMs),
    storeTimeMs: sum(({ storeTimeMs }) => storeTimeMs),
    executionProvider: first.executionProvider,
    parts: { count: parts.length, batches: batches.length, assembleTimeMs },
  };
}
