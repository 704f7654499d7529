import { type ModelSignature, QuernError, toQuernError } from '@quern/contract';
import { BatchPadding } from '../session/batch-padding.ts';
import { collate, EntryDecoder, sharesLane } from '../session/collate.ts';
import type { OutputCut } from '../session/cut-back.ts';
import type { DecodedEntry } from '../session/decoded-entry.ts';
import type { RawTensor } from '../session/ort-tensors.ts';
import { wantsOutput } from '../session/split.ts';
import { PartInput, PartInputs } from './part-inputs.ts';
import type { PayloadStore } from './payload-store.ts';
import { sliceEntry } from './row-range.ts';
import type { EntryError, RunnerBatch, RunnerEntry } from './runner-batch.ts';

/** An entry that runs, and what to cut off its outputs because it is padded. */
export interface RunningEntry extends RunnerEntry {
  readonly cuts?: readonly OutputCut[];
}

/** A batch ready to run, and the entries that will not. */
export interface PreparedBatch {
  /** The entries that run, in the order of their rows. */
  readonly running: readonly RunningEntry[];
  readonly failed: ReadonlyMap<string, EntryError>;
  readonly inputs: readonly RawTensor[];
  /** The outputs to compute: what at least one entry wants. */
  readonly outputs: readonly string[];
  /** The share of the inputs' elements that padding added, from 0 to 1. */
  readonly paddingRatio: number;
}

/**
 * Reads the payloads of a batch, decodes and checks every entry and stacks those that are sound. An
 * entry whose payload is missing or wrong fails alone.
 * @param partInputs inputs of parts that were read before
 * @throws whatever the payload store rejects with
 */
export async function prepareBatch(
  batch: RunnerBatch,
  signature: ModelSignature,
  payloads: PayloadStore,
  partInputs = new PartInputs(),
): Promise<PreparedBatch> {
  const found = await readPayloads(batch.entries, payloads, partInputs);
  const decoder = new EntryDecoder(signature);
  const padding = new BatchPadding(batch.lane, signature);
  const running: RunningEntry[] = [];
  const decoded: DecodedEntry[] = [];
  const failed = new Map<string, EntryError>();
  batch.entries.forEach((entry, index) => {
    try {
      const inputs = decodeInputs(entry, found[index] ?? null, decoder, signature);
      assertCompany(inputs, decoded, signature, padding);
      const cuts = padding.cutsOf(inputs);
      running.push(cuts.length === 0 ? entry : { ...entry, cuts });
      decoded.push(inputs);
    } catch (error) {
      failed.set(entry.id, entryError(error));
    }
  });
  const inputs = running.length === 0 ? [] : collate(decoded, signature, padding.target);
  const outputs = wantedOutputs(running, signature);
  return { running, failed, inputs, outputs, paddingRatio: padding.ratio(decoded, inputs) };
}

/** An error as it stands in an outcome. */
export function entryError(error: unknown): EntryError {
  const { code, message, retryable } = toQuernError(error);
  return { code, message, retryable };
}

/** The payload of each entry; null if it is gone. */
async function readPayloads(
  entries: readonly RunnerEntry[],
  payloads: PayloadStore,
  partInputs: PartInputs,
): Promise<(Uint8Array | PartInput | null)[]> {
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

/** @throws QuernError `PAYLOAD_MISSING` or `INVALID_INPUT` */
function decodeInputs(
  entry: RunnerEntry,
  payload: Uint8Array | PartInput | null,
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
  payload: Uint8Array | PartInput | null,
  signature: ModelSignature,
): asserts payload is Uint8Array | PartInput {
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

/** Entries of different shapes in one batch are a fault of who formed it, not of the client. */
function assertCompany(
  entry: DecodedEntry,
  before: readonly DecodedEntry[],
  signature: ModelSignature,
  padding: BatchPadding,
): void {
  padding.assertFits(entry);
  const [first] = before;
  if (first === undefined) return;
  if (!signature.batchable) {
    throw new QuernError('INTERNAL', 'the model is not batchable, expected one entry per batch');
  }
  if (!sharesLane(first, entry, signature, padding.target !== undefined)) {
    throw new QuernError('INTERNAL', 'the entry is of another lane than the first of its batch');
  }
}

function wantedOutputs(entries: readonly RunnerEntry[], signature: ModelSignature): string[] {
  const all = signature.outputs.map((output) => output.name);
  return all.filter((name) => entries.some((entry) => wantsOutput(entry, name)));
}
