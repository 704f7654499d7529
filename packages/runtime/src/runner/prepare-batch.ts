import { type ModelSignature, QuernError, toQuernError } from '@quern/contract';
import { collate, type DecodedEntry, EntryDecoder, sharesLane } from '../session/collate.ts';
import type { RawTensor } from '../session/ort-tensors.ts';
import { wantsOutput } from '../session/split.ts';
import type { PayloadStore } from './payload-store.ts';
import type { EntryError, RunnerBatch, RunnerEntry } from './runner-batch.ts';

/** A batch ready to run, and the entries that will not. */
export interface PreparedBatch {
  /** The entries that run, in the order of their rows. */
  readonly running: readonly RunnerEntry[];
  readonly failed: ReadonlyMap<string, EntryError>;
  readonly inputs: readonly RawTensor[];
  /** The outputs to compute: what at least one entry wants. */
  readonly outputs: readonly string[];
}

/**
 * Reads the payloads of a batch, decodes and checks every entry and stacks those that are sound. An
 * entry whose payload is missing or wrong fails alone.
 * @throws whatever the payload store rejects with
 */
export async function prepareBatch(
  batch: RunnerBatch,
  signature: ModelSignature,
  payloads: PayloadStore,
): Promise<PreparedBatch> {
  const messages = await readPayloads(batch.entries, payloads);
  const decoder = new EntryDecoder(signature);
  const running: RunnerEntry[] = [];
  const decoded: DecodedEntry[] = [];
  const failed = new Map<string, EntryError>();
  batch.entries.forEach((entry, index) => {
    try {
      const message = messages[index] ?? null;
      assertAnswerable(entry, message, signature);
      const inputs = decoder.decode(message, entry.rows);
      assertCompany(inputs, decoded, signature);
      running.push(entry);
      decoded.push(inputs);
    } catch (error) {
      failed.set(entry.id, entryError(error));
    }
  });
  const inputs = running.length === 0 ? [] : collate(decoded, signature);
  return { running, failed, inputs, outputs: wantedOutputs(running, signature) };
}

/** An error as it stands in an outcome. */
export function entryError(error: unknown): EntryError {
  const { code, message, retryable } = toQuernError(error);
  return { code, message, retryable };
}

async function readPayloads(
  entries: readonly RunnerEntry[],
  payloads: PayloadStore,
): Promise<(Uint8Array | null)[]> {
  const keys = entries.flatMap((entry) => ('key' in entry.input ? [entry.input.key] : []));
  const read = keys.length === 0 ? [] : await payloads.read(keys);
  let next = 0;
  return entries.map(({ input }) => ('key' in input ? (read[next++] ?? null) : input.inline));
}

function assertAnswerable(
  entry: RunnerEntry,
  message: Uint8Array | null,
  signature: ModelSignature,
): asserts message is Uint8Array {
  if (message === null) {
    const key = 'key' in entry.input ? entry.input.key : 'inline';
    throw new QuernError(
      'PAYLOAD_MISSING',
      `the input of prediction ${entry.id} is gone (key ${key}); it may have expired: send it again`,
    );
  }
  for (const name of entry.outputs ?? []) {
    if (signature.outputs.some((output) => output.name === name)) continue;
    const known = signature.outputs.map((output) => output.name).join(', ');
    throw new QuernError('INVALID_INPUT', `the model has no output ${name}, expected ${known}`);
  }
}

/** Entries of different shapes in one batch are a fault of who formed it, not of the client. */
function assertCompany(
  entry: DecodedEntry,
  before: readonly DecodedEntry[],
  signature: ModelSignature,
): void {
  const [first] = before;
  if (first === undefined) return;
  if (!signature.batchable) {
    throw new QuernError('INTERNAL', 'the model is not batchable, expected one entry per batch');
  }
  if (!sharesLane(first, entry)) {
    throw new QuernError('INTERNAL', 'the entry is of another lane than the first of its batch');
  }
}

function wantedOutputs(entries: readonly RunnerEntry[], signature: ModelSignature): string[] {
  const all = signature.outputs.map((output) => output.name);
  return all.filter((name) => entries.some((entry) => wantsOutput(entry, name)));
}
