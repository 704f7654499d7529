import type { ModelSignature } from '@quern/contract';
import type { RawTensor } from '../session/ort-tensors.ts';
import { splitOutputs } from '../session/split.ts';
import { deliverResults, type EntryResult } from './deliver-results.ts';
import type { PayloadStore } from './payload-store.ts';
import type { PreparedBatch } from './prepare-batch.ts';
import type { RunnerBatch, RunnerOutcome } from './runner-batch.ts';

export interface FinishedBatch {
  readonly outcomes: readonly RunnerOutcome[];
  readonly splitMs: number;
  readonly storeMs: number;
}

/**
 * Takes a run's outputs apart, stores the results that are too large for a message and says how each
 * entry ended.
 * @param ran what the run gave, in the order of `prepared.running`
 * @throws QuernError `INFERENCE_FAILED` if the outputs do not have the batch's rows
 */
export async function finishBatch(
  batch: RunnerBatch,
  prepared: PreparedBatch,
  ran: readonly RawTensor[],
  signature: ModelSignature,
  payloads: PayloadStore,
): Promise<FinishedBatch> {
  const startedAtMs = performance.now();
  const messages = splitOutputs(ran, prepared.running, signature);
  const splitAtMs = performance.now();
  const results = new Map<string, EntryResult>(prepared.failed);
  prepared.running.forEach(({ id }, index) => {
    results.set(id, messages[index] ?? new Uint8Array());
  });
  const outcomes = await deliverResults(batch, results, payloads);
  return {
    outcomes,
    splitMs: splitAtMs - startedAtMs,
    storeMs: performance.now() - splitAtMs,
  };
}
