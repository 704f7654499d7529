import type { ModelSignature } from '@quern/contract';
import type { RawTensor } from '../session/ort-tensors.ts';
import { splitOutputs } from '../session/split.ts';
import type { PayloadStore, StoredResult } from './payload-store.ts';
import { entryError, type PreparedBatch } from './prepare-batch.ts';
import {
  DEFAULT_INLINE_RESULT_BYTES,
  type EntryError,
  type RunnerBatch,
  type RunnerEntry,
  type RunnerOutcome,
} from './runner-batch.ts';

/** The parts of one prediction put at most as much into messages as so many whole predictions. */
const INLINE_PARTS = 16;

export interface FinishedBatch {
  readonly outcomes: readonly RunnerOutcome[];
  readonly splitMs: number;
  readonly storeMs: number;
}

/**
 * Takes a run's outputs apart, stores the results that are too large for a message and says how each
 * entry ended. A store that rejects fails the entries with large results; the small ones succeed.
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
  const limitBytes = batch.inlineResultBytes ?? DEFAULT_INLINE_RESULT_BYTES;
  const outcomes = new Map<string, RunnerOutcome>();
  const large: (StoredResult & { id: string })[] = [];
  prepared.running.forEach((entry, index) => {
    const { id, resultKey: key } = entry;
    const bytes = messages[index] ?? new Uint8Array();
    const temporary = entry.rowRange !== undefined;
    if (bytes.byteLength > inlineLimit(entry, limitBytes))
      large.push({ id, key, bytes, temporary });
    else outcomes.set(id, { id, ok: true, result: { inline: bytes } });
  });
  const storeError = await storeResults(large, payloads);
  for (const { id, key, bytes } of large) {
    const stored: RunnerOutcome = { id, ok: true, result: { key, bytes: bytes.byteLength } };
    outcomes.set(id, storeError === undefined ? stored : { id, ok: false, error: storeError });
  }
  for (const [id, error] of prepared.failed) outcomes.set(id, { id, ok: false, error });
  return {
    outcomes: batch.entries.flatMap(({ id }) => outcomes.get(id) ?? []),
    splitMs: splitAtMs - startedAtMs,
    storeMs: performance.now() - splitAtMs,
  };
}

/** A part may have its share of what the parts of a prediction may put into messages together. */
function inlineLimit({ rowRange, rows }: RunnerEntry, limitBytes: number): number {
  if (rowRange === undefined) return limitBytes;
  return Math.min(limitBytes, (INLINE_PARTS * limitBytes * rows) / rowRange.of);
}

async function storeResults(
  items: readonly StoredResult[],
  payloads: PayloadStore,
): Promise<EntryError | undefined> {
  if (items.length === 0) return undefined;
  try {
    await payloads.write([...items]);
    return undefined;
  } catch (error) {
    return entryError(error);
  }
}
