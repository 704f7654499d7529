import { encodeTensors, type Tensor } from '@quern/contract';
import { BatchPadding } from '../session/batch-padding.ts';
import { collate } from '../session/collate.ts';
import { splitShares, wantsOutput } from '../session/split.ts';
import { type EntryGroup, groupEntries } from '../steps/entry-groups.ts';
import { mapBounded } from '../steps/map-bounded.ts';
import type { ModelSteps, SessionEntry } from '../steps/model-steps.ts';
import { deliverResults, type EntryResult } from './deliver-results.ts';
import type { PartInputs } from './part-inputs.ts';
import type { PayloadStore } from './payload-store.ts';
import { entryError, readEntries } from './read-entries.ts';
import type { RunnerBatch, RunnerBatchResult, RunnerEntry } from './runner-batch.ts';
import type { SessionClient } from './session-client.ts';

/** Entries whose steps are under way at a time; decoders have threads of their own. */
const STEPS_AT_A_TIME = 8;

export interface SteppedBatchParts {
  readonly steps: ModelSteps;
  readonly session: Pick<SessionClient, 'run'>;
  readonly payloads: PayloadStore;
  readonly partInputs: PartInputs;
  /** Told before steps of the batch begin, and when they have ended. */
  readonly mark: (kind: 'steps-started' | 'steps-ended') => void;
}

/** An entry that is ready to run. */
interface ReadyEntry extends SessionEntry {
  readonly entry: RunnerEntry;
}

/** An entry that has run, with the session's outputs. */
interface RanEntry extends ReadyEntry {
  readonly outputs: readonly Tensor[];
}

interface GroupRun {
  readonly ran: readonly RanEntry[];
  readonly inferenceMs: number;
  readonly paddingRatio: number;
}

/**
 * Takes a batch through a model with steps: reads the fields, prepares each entry, runs those together
 * whose shapes fit, and finishes the outputs of each. A step that fails, fails its entry alone.
 * @param sequence of the batch, for the session
 * @throws whatever the payload store rejects with, and what a run as a whole fails with
 */
export async function runSteppedBatch(
  sequence: number,
  batch: RunnerBatch,
  parts: SteppedBatchParts,
): Promise<RunnerBatchResult> {
  const { steps, payloads, partInputs } = parts;
  const startedAtMs = performance.now();
  const { read, failed } = await readEntries(batch, steps.signature, payloads, partInputs);
  const results = new Map<string, EntryResult>(failed);
  const ready = await eachInSteps(read, results, parts, async ({ entry, inputs }) => ({
    ...(await steps.preprocess(inputs)),
    entry,
  }));
  const readyAtMs = performance.now();
  const runs: GroupRun[] = [];
  for (const group of groupsOf(batch, ready, steps)) {
    runs.push(await runGroup(sequence, group, parts));
  }
  const ranAtMs = performance.now();
  const ran = runs.flatMap((run) => run.ran);
  await eachInSteps(ran, results, parts, async ({ entry, rows, tensors, outputs }) => {
    const finished = await steps.postprocess(outputs, { rows, inputs: tensors });
    const wanted = finished.filter(({ name }) => wantsOutput(entry, name));
    results.set(entry.id, encodeTensors(wanted));
  });
  const finishedAtMs = performance.now();
  const outcomes = await deliverResults(batch, results, payloads);
  const inferenceMs = runs.reduce((sum, run) => sum + run.inferenceMs, 0);
  const padded = runs.reduce((sum, run) => sum + run.paddingRatio * run.ran.length, 0);
  return {
    outcomes,
    collateMs: readyAtMs - startedAtMs,
    inferenceMs,
    splitMs: finishedAtMs - ranAtMs,
    storeMs: performance.now() - finishedAtMs,
    paddingRatio: ran.length === 0 ? 0 : padded / ran.length,
  };
}

/** Maps entries whose steps go through; of the others the error goes to the results. */
async function eachInSteps<T extends { readonly entry: RunnerEntry }, R>(
  entries: readonly T[],
  results: Map<string, EntryResult>,
  { mark }: SteppedBatchParts,
  map: (entry: T) => Promise<R>,
): Promise<R[]> {
  if (entries.length === 0) return [];
  mark('steps-started');
  const mapped = await mapBounded(entries, STEPS_AT_A_TIME, async (item) => {
    try {
      return [await map(item)];
    } catch (error) {
      results.set(item.entry.id, entryError(error));
      return [];
    }
  });
  mark('steps-ended');
  return mapped.flat();
}

/** Without fields the batch has one lane already, which the worker has chosen. */
function groupsOf(
  { lane }: RunnerBatch,
  ready: readonly ReadyEntry[],
  { hasFields, session }: ModelSteps,
): EntryGroup<ReadyEntry>[] {
  if (hasFields) return groupEntries(ready, session);
  if (ready.length === 0) return [];
  return [{ members: ready, ...(lane !== undefined && { lane }) }];
}

async function runGroup(
  sequence: number,
  { members, lane }: EntryGroup<ReadyEntry>,
  { steps, session }: SteppedBatchParts,
): Promise<GroupRun> {
  const signature = steps.session;
  const padding = new BatchPadding(lane, signature);
  const inputs = collate(members, signature, padding.target);
  const paddingRatio = padding.ratio(members, inputs);
  const outputs = steps.sessionOutputs(members.map(({ entry }) => entry.outputs));
  const answer = await session.run({ sequence, inputs, outputs });
  const entries = members.map((member) => ({ rows: member.rows, cuts: padding.cutsOf(member) }));
  const shares = splitShares(answer.outputs, entries, signature);
  const ran = members.map((member, index) => ({ ...member, outputs: shares[index] ?? [] }));
  return { ran, inferenceMs: answer.inferenceMs, paddingRatio };
}
