import { type ModelSignature, QuernError } from '@quern/contract';
import { BatchPadding } from '../session/batch-padding.ts';
import { collate, sharesLane } from '../session/collate.ts';
import type { OutputCut } from '../session/cut-back.ts';
import type { DecodedEntry } from '../session/decoded-entry.ts';
import type { RawTensor } from '../session/ort-tensors.ts';
import { wantsOutput } from '../session/split.ts';
import { PartInputs } from './part-inputs.ts';
import type { PayloadStore } from './payload-store.ts';
import { entryError, readEntries } from './read-entries.ts';
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
  const { read, failed } = await readEntries(batch, signature, payloads, partInputs);
  const padding = new BatchPadding(batch.lane, signature);
  const running: RunningEntry[] = [];
  const decoded: DecodedEntry[] = [];
  for (const { entry, inputs } of read) {
    try {
      assertCompany(inputs, decoded, signature, padding);
      const cuts = padding.cutsOf(inputs);
      running.push(cuts.length === 0 ? entry : { ...entry, cuts });
      decoded.push(inputs);
    } catch (error) {
      failed.set(entry.id, entryError(error));
    }
  }
  const inputs = running.length === 0 ? [] : collate(decoded, signature, padding.target);
  const outputs = wantedOutputs(running, signature);
  return { running, failed, inputs, outputs, paddingRatio: padding.ratio(decoded, inputs) };
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
