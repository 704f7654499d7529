import {
  type BatchAxis,
  batchAxisOf,
  type Padding,
  QuernError,
  type TensorSpec,
} from '@quern/contract';
import type { ProfilePoint, RunnerModel } from '../runner/runner-model.ts';
import { whyNotBatchable } from './batch-axis.ts';
import { assertCutBacks } from './cut-back.ts';
import { cleanOrtMessage } from './ort-message.ts';
import type { RawTensor } from './ort-tensors.ts';
import type { GraphSignature } from './read-signature.ts';
import { differingOutput } from './rows-alike.ts';
import { planWarmUp, type WarmUpInputs } from './warm-up-shapes.ts';

/** Runs the session once. */
export type RunTensors = (inputs: readonly RawTensor[]) => Promise<RawTensor[]>;

export interface WarmUpResult {
  readonly batchable: boolean;
  /** The outputs' specs; those of undeclared rank as the runs showed them. */
  readonly outputs: readonly TensorSpec[];
  readonly profile: readonly ProfilePoint[];
  readonly shapesGuessed: boolean;
  /** Inputs that have run; undefined if none has. */
  readonly knownGood?: WarmUpInputs;
  readonly warnings: readonly string[];
}

/** What is known of a model beside its graph. */
export interface WarmUpOptions {
  readonly padding?: Padding | undefined;
  /** The batch sizes to run; by default 1, 2, 4, ... to the largest. */
  readonly knownSizes?: readonly number[] | undefined;
}

const RUNS_PER_SIZE = 2;

/**
 * Runs a loaded model on zeros before it takes work: allocations and kernels are done then, a model
 * that cannot run is found out, a claimed batch axis is put to the test, and the time per batch size
 * is measured as far as the budget goes.
 * @throws QuernError `MODEL_UNAVAILABLE` if all shapes are known and a run of one row fails,
 *   `CONFIG_INVALID` if model.yaml is wrong about shapes
 */
export async function warmUp(
  graph: GraphSignature,
  model: RunnerModel,
  run: RunTensors,
  { padding, knownSizes }: WarmUpOptions = {},
): Promise<WarmUpResult> {
  const outputs = graph.outputs.map((output) => output.spec);
  const reason = whyNotBatchable(graph);
  if (!model.warmup.enabled) return withoutRuns(graph, outputs, reason);
  const startedAtMs = performance.now();
  const plan = planWarmUp(graph, model, reason === undefined, padding);
  const { inputs, answer, failure } = await firstThatRuns(plan.candidates, run);
  if (inputs === undefined) {
    if (!plan.guessed) {
      throw new QuernError('MODEL_UNAVAILABLE', `the warm-up run on zeros failed: ${failure}`);
    }
    const warning = `no warm-up: the model ran with none of the guessed shapes (${failure}); give them as warmup.shapes in model.yaml`;
    const rest = withoutRuns(graph, outputs, reason);
    return { ...rest, shapesGuessed: true, warnings: [...rest.warnings, warning] };
  }
  assertCutBacks(padding, inputs(1), answer, model);
  const fault = reason ?? (await batchFault(graph, model, inputs, run, answer));
  const batchable = fault === undefined;
  const budgetMs = model.warmup.budgetMs - (performance.now() - startedAtMs);
  const sizes = batchable ? (knownSizes ?? batchSizes(model.maxBatchSize)) : [1];
  return {
    batchable,
    outputs: outputs.map((spec) => observedSpec(spec, answer, batchable)),
    profile: await measure(sizes, inputs, run, budgetMs),
    shapesGuessed: plan.guessed,
    knownGood: inputs,
    warnings: fault === undefined ? [] : [notBatched(fault)],
  };
}

function withoutRuns(
  graph: GraphSignature,
  outputs: readonly TensorSpec[],
  reason: string | undefined,
): WarmUpResult {
  const unknown = graph.outputs.find((output) => output.dimensions.length === 0);
  const fault =
    reason ??
    (unknown && `output ${unknown.spec.name} has no declared shape, and no warm-up run showed it`);
  return {
    batchable: fault === undefined,
    outputs,
    profile: [],
    shapesGuessed: false,
    warnings: fault === undefined ? [] : [notBatched(fault)],
  };
}

function notBatched(fault: string): string {
  return `predictions run one by one, not in batches: ${fault}`;
}

type Attempt =
  | { inputs: WarmUpInputs; answer: RawTensor[]; failure?: undefined }
  | { inputs?: undefined; answer?: undefined; failure: string };

async function firstThatRuns(
  candidates: readonly WarmUpInputs[],
  run: RunTensors,
): Promise<Attempt> {
  let failure = 'nothing was tried';
  for (const inputs of candidates) {
    try {
      return { inputs, answer: await run(inputs(1)) };
    } catch (error) {
      failure = cleanOrtMessage(error);
    }
  }
  return { failure };
}

/** Runs two rows and says why they may not share a run; undefined if they may. */
async function batchFault(
  graph: GraphSignature,
  model: RunnerModel,
  inputs: WarmUpInputs,
  run: RunTensors,
  alone: readonly RawTensor[],
): Promise<string | undefined> {
  if (model.maxBatchSize === 1) return undefined;
  let both: RawTensor[];
  try {
    both = await run(inputs(2));
  } catch (error) {
    return `a run of 2 rows fails (${cleanOrtMessage(error)}); export the model with a dynamic first dimension throughout`;
  }
  const axisOf = ({ name }: RawTensor): BatchAxis =>
    batchAxisOf(graph.outputs.find(({ spec }) => spec.name === name)?.spec ?? {});
  for (const output of both) {
    const axis = axisOf(output);
    if (axis !== null && output.shape[axis] !== 2) return wrongRows(output, axis);
  }
  const mixed = differingOutput(alone, both, 2, axisOf);
  if (mixed === undefined) return undefined;
  // A model that draws random numbers differs from itself, and neighbours have no part in that.
  if (differingOutput(alone, await run(inputs(1)), 1, axisOf) !== undefined) return undefined;
  return `output ${mixed.name} answers the same row differently when another row is beside it`;
}

function wrongRows({ name, shape }: RawTensor, axis: number): string {
  const otherAxis = shape.indexOf(2);
  const hint =
    otherAxis === -1
      ? 'export the model with a dynamic first dimension throughout'
      : `if axis ${otherAxis} counts its rows, say so in model.yaml: outputs: {${name}: {batchAxis: ${otherAxis}}}`;
  return `output ${name} has the shape [${shape.join(',')}] for 2 rows, expected 2 on axis ${axis}; ${hint}`;
}

/** 1, 2, 4, ... and the largest size itself. */
function batchSizes(maxBatchSize: number): number[] {
  const sizes: number[] = [];
  for (let size = 1; size < maxBatchSize; size *= 2) sizes.push(size);
  return [...sizes, maxBatchSize];
}

/** The shortest of a few runs per size, for as many sizes as the budget is expected to allow. */
async function measure(
  sizes: readonly number[],
  inputs: WarmUpInputs,
  run: RunTensors,
  budgetMs: number,
): Promise<ProfilePoint[]> {
  const startedAtMs = performance.now();
  const profile: ProfilePoint[] = [];
  for (const rows of sizes) {
    const last = profile.at(-1);
    const expectedMs = last === undefined ? 0 : (last.timeMs / last.rows) * rows * RUNS_PER_SIZE;
    if (performance.now() - startedAtMs + expectedMs > budgetMs && last !== undefined) break;
    const feeds = inputs(rows);
    let timeMs = Number.POSITIVE_INFINITY;
    try {
      for (let i = 0; i < RUNS_PER_SIZE; i++) {
        const runStartedAtMs = performance.now();
        await run(feeds);
        timeMs = Math.min(timeMs, performance.now() - runStartedAtMs);
      }
    } catch {
      // Too large for the memory: the sizes below are what there is to know.
      break;
    }
    profile.push({ rows, timeMs });
  }
  return profile;
}

/** Fills in what a file without declared output shapes does not say. */
function observedSpec(
  spec: TensorSpec,
  answer: readonly RawTensor[],
  batchable: boolean,
): TensorSpec {
  const observed = answer.find((output) => output.name === spec.name)?.shape ?? [];
  if (spec.shape.length === observed.length) return spec;
  // One look cannot tell a fixed dimension from a dynamic one, so none is promised.
  return { ...spec, shape: observed.map((extent) => (batchable ? -1 : extent)) };
}
