import { type ModelSignature, QuernError, toQuernError } from '@quern/contract';
import { EntryDecoder } from '../session/collate.ts';
import type { DecodedEntry } from '../session/decoded-entry.ts';
import { PartInput, type PartInputs } from './part-inputs.ts';
import type { PayloadStore, ReadPayload } from './payload-store.ts';
import { sliceEntry } from './row-range.ts';
import type { EntryError, RunnerBatch, RunnerEntry } from './runner-batch.ts';

/** An entry of a batch with its inputs. */
export interface ReadEntry {
  readonly entry: RunnerEntry;
  readonly inputs: DecodedEntry;
}

/** The entries of a batch that could be read, and the errors of the others by their ids. */
export interface ReadEntries {
  readonly read: readonly ReadEntry[];
  readonly failed: Map<string, EntryError>;
}

/**
 * Reads the payloads of a batch, and decodes and checks every entry. One whose payload is missing or
 * wrong fails alone.
 * @param signature what the entries are made for
 * @param partInputs inputs of parts that were read before
 * @throws whatever the payload store rejects with
 */
export async function readEntries(
  { entries }: RunnerBatch,
  signature: ModelSignature,
  payloads: PayloadStore,
  partInputs: PartInputs,
): Promise<ReadEntries> {
  const found = await readPayloads(entries, payloads, partInputs);
  const decoder = new EntryDecoder(signature);
  const read: ReadEntry[] = [];
  const failed = new Map<string, EntryError>();
  entries.forEach((entry, index) => {
    try {
      const inputs = decodeInputs(entry, found[index] ?? null, decoder, signature);
      read.push({ entry, inputs });
    } catch (error) {
      failed.set(entry.id, entryError(error));
    }
  });
  return { read, failed };
}

/** An error as it stands in an outcome. */
export function entryError(error: unknown): EntryError {
  const { code, message, retryable } = toQuernError(error);
  return { code, message, retryable };
}

type FoundPayload = ReadPayload | PartInput;

/** The payload of each entry; null if it is gone. */
async function readPayloads(
  entries: readonly RunnerEntry[],
  payloads: PayloadStore,
  partInputs: PartInputs,
): Promise<FoundPayload[]> {
  const keys = [...new Set(entries.filter((entry) => !isPart(entry)).flatMap(keysOf))];
  const partKeys = [...new Set(entries.filter(isPart).flatMap(keysOf))];
  const [read, ...parts] = await Promise.all([
    keys.length === 0 ? [] : payloads.read(keys),
    ...partKeys.map((key) => partInputs.read(key, payloads)),
  ]);
  const wholes = new Map(keys.map((key, index) => [key, read[index]]));
  const shared = new Map(partKeys.map((key, index) => [key, parts[index]]));
  return entries.map((entry) => {
    if ('inline' in entry.input) return entry.input.inline;
    const [key = ''] = keysOf(entry);
    return (isPart(entry) ? shared : wholes).get(key) ?? null;
  });
}

function isPart({ rowRange }: RunnerEntry): boolean {
  return rowRange !== undefined;
}

function keysOf({ input }: RunnerEntry): string[] {
  return 'key' in input ? [input.key] : [];
}

/** @throws QuernError `PAYLOAD_MISSING` or `INVALID_INPUT`, or why its payload cannot be read */
function decodeInputs(
  entry: RunnerEntry,
  payload: FoundPayload,
  decoder: EntryDecoder,
  signature: ModelSignature,
): DecodedEntry {
  assertAnswerable(entry, payload, signature);
  const { rowRange, rows } = entry;
  const decode = (message: Uint8Array) => decoder.decode(message, rowRange?.of ?? rows);
  const whole = payload instanceof PartInput ? payload.decoded(decode) : decode(payload);
  return rowRange === undefined ? whole : sliceEntry(whole, signature, rowRange.first, rows);
}

function assertAnswerable(
  entry: RunnerEntry,
  payload: FoundPayload,
  signature: ModelSignature,
): asserts payload is Uint8Array | PartInput {
  if (payload instanceof QuernError) throw payload;
  if (payload === null) {
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
