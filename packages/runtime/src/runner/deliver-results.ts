import type { PayloadStore, StoredResult } from './payload-store.ts';
import { entryError } from './read-entries.ts';
import {
  DEFAULT_INLINE_RESULT_BYTES,
  type EntryError,
  type RunnerBatch,
  type RunnerEntry,
  type RunnerOutcome,
} from './runner-batch.ts';

/** The parts of one prediction put at most as much into messages as so many whole predictions. */
const INLINE_PARTS = 16;

/** How an entry came out of its run: its outputs as `encodeTensors` writes them, or an error. */
export type EntryResult = Uint8Array | EntryError;

/**
 * Stores the results that are too large for a message and says how each entry ended. A store that
 * rejects fails the entries with large results; the small ones succeed.
 * @param results by the id of the entry
 */
export async function deliverResults(
  batch: RunnerBatch,
  results: ReadonlyMap<string, EntryResult>,
  payloads: PayloadStore,
): Promise<RunnerOutcome[]> {
  const limitBytes = batch.inlineResultBytes ?? DEFAULT_INLINE_RESULT_BYTES;
  const outcomes = new Map<string, RunnerOutcome>();
  const large: (StoredResult & { id: string })[] = [];
  for (const entry of batch.entries) {
    const { id, resultKey: key } = entry;
    const result = results.get(id);
    if (result === undefined) continue;
    if ('code' in result) {
      outcomes.set(id, { id, ok: false, error: result });
    } else if (result.byteLength > inlineLimit(entry, limitBytes)) {
      large.push({ id, key, bytes: result, temporary: entry.rowRange !== undefined });
    } else {
      outcomes.set(id, { id, ok: true, result: { inline: result } });
    }
  }
  const stored = await storeResults(large, payloads);
  for (const [index, { id, key, bytes }] of large.entries()) {
    if ('code' in stored) outcomes.set(id, { id, ok: false, error: stored });
    else {
      const result = { key: stored[index] ?? key, bytes: bytes.byteLength };
      outcomes.set(id, { id, ok: true, result });
    }
  }
  return batch.entries.flatMap(({ id }) => outcomes.get(id) ?? []);
}

/** A part may have its share of what the parts of a prediction may put into messages together. */
function inlineLimit({ rowRange, rows }: RunnerEntry, limitBytes: number): number {
  if (rowRange === undefined) return limitBytes;
  return Math.min(limitBytes, (INLINE_PARTS * limitBytes * rows) / rowRange.of);
}

/** Where each result lies, or why none can be read. */
async function storeResults(
  items: readonly StoredResult[],
  payloads: PayloadStore,
): Promise<readonly string[] | EntryError> {
  if (items.length === 0) return [];
  try {
    return await payloads.write([...items]);
  } catch (error) {
    return entryError(error);
  }
}
