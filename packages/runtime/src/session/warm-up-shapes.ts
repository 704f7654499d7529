import {
  batchAxisOf,
  formatShape,
  type PaddedAxis,
  type Padding,
  scalarBytes,
  toQuernError,
} from '@quern/contract';
import { configProblem } from '../repository/config-positions.ts';
import type { RunnerModel } from '../runner/runner-model.ts';
import { batchNames } from './batch-axis.ts';
import { filledTensor, type RawTensor } from './ort-tensors.ts';
import type { GraphSignature, GraphTensor } from './read-signature.ts';

/** The inputs of a warm-up run with a number of rows: zeros, or the values of `warmup.values`. */
export type WarmUpInputs = (rows: number) => RawTensor[];

export interface WarmUpPlan {
  /** Tried in this order until one runs. */
  readonly candidates: readonly WarmUpInputs[];
  /** True if dimensions were guessed, so that a failure says nothing about the model. */
  readonly guessed: boolean;
}

/** Guesses for dynamic dimensions other than the rows: many models want a multiple of 16 or 32. */
const GUESSES = [64, 16, 1];

/**
 * The inputs to warm up with: shapes from `warmup.shapes` where given, from the file where fixed, the
 * largest buckets where padded to listed ones, and guessed otherwise.
 * @param batchable whether the batch axes count rows; if not, a dynamic one is a guess too
 * @throws QuernError `CONFIG_INVALID` if `warmup.shapes` or `warmup.values` does not fit the model
 */
export function planWarmUp(
  graph: GraphSignature,
  model: RunnerModel,
  batchable: boolean,
  padding?: Padding,
): WarmUpPlan {
  const given = model.warmup.shapes ?? {};
  for (const input of graph.inputs) assertFits(input, model);
  const names = batchNames(graph);
  const isRows = ({ spec }: GraphTensor, name: number | string, axis: number) =>
    typeof name === 'string' && (axis === batchAxisOf(spec) || names.has(name));
  const knownExtent = ({ spec }: GraphTensor, axis: number): number | undefined =>
    given[spec.name]?.[axis] ?? largestBucket(padding?.axes ?? [], spec.name, axis);
  const guessed = graph.inputs.some((input) =>
    input.dimensions.some(
      (name, axis) =>
        typeof name === 'string' &&
        knownExtent(input, axis) === undefined &&
        !(batchable && isRows(input, name, axis)),
    ),
  );

  const inputsFor =
    (guess: number, guessedRows: number): WarmUpInputs =>
    (rows) =>
      graph.inputs.map((input) => {
        const { spec, dimensions } = input;
        const shape = dimensions.map((name, axis) => {
          if (batchable && axis === batchAxisOf(spec)) return rows;
          if (typeof name === 'number') return name;
          return knownExtent(input, axis) ?? (isRows(input, name, axis) ? guessedRows : guess);
        });
        return filledTensor(spec.name, spec.datatype, shape, elementOf(input, model));
      });

  if (!guessed) return { candidates: [inputsFor(1, 1)], guessed };
  const candidates = GUESSES.map((guess) => inputsFor(guess, 1));
  return { candidates: batchable ? candidates : [...candidates, inputsFor(16, 16)], guessed };
}

/** The largest of the lengths that model.yaml lists for an axis, or for the one that it is like. */
function largestBucket(
  axes: readonly PaddedAxis[],
  input: string,
  axis: number,
): number | undefined {
  const padded = axes.find((item) => item.input === input && item.axis === axis);
  if (padded?.like !== undefined) return largestBucket(axes, padded.like.input, padded.like.axis);
  return Array.isArray(padded?.buckets) ? padded.buckets.at(-1) : undefined;
}

/** The element that an input is filled with; undefined for zeros and empty texts. */
function elementOf({ spec }: GraphTensor, model: RunnerModel): Uint8Array | undefined {
  const value = model.warmup.values?.[spec.name];
  if (value === undefined) return undefined;
  try {
    return scalarBytes(value, spec.datatype, 'value');
  } catch (error) {
    const key = `warmup.values.${spec.name}`;
    throw configProblem(model.configPositions, key, toQuernError(error).message);
  }
}

function assertFits({ spec }: GraphTensor, model: RunnerModel): void {
  const shape = model.warmup.shapes?.[spec.name];
  if (shape === undefined) return;
  const rows = batchAxisOf(spec);
  const fits =
    shape.length === spec.shape.length &&
    spec.shape.every(
      (expected, axis) => axis === rows || expected === -1 || expected === shape[axis],
    );
  if (fits) return;
  throw configProblem(
    model.configPositions,
    `warmup.shapes.${spec.name}`,
    `got ${formatShape(shape)}, expected ${formatShape(spec.shape)} with numbers for -1`,
  );
}
