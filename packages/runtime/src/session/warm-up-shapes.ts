import { formatShape, QuernError } from '@quern/contract';
import type { RunnerModel } from '../runner/runner-model.ts';
import { batchNames } from './batch-axis.ts';
import { type RawTensor, zeroTensor } from './ort-tensors.ts';
import type { GraphSignature, GraphTensor } from './read-signature.ts';

/** The zero inputs of a warm-up run with a number of rows. */
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
 * The inputs to warm up with: shapes from `warmup.shapes` where given, from the file where fixed, and
 * guessed otherwise.
 * @param batchable whether axis 0 counts rows; if not, a dynamic first dimension is a guess too
 * @throws QuernError `CONFIG_INVALID` if a shape of `warmup.shapes` does not fit the model
 */
export function planWarmUp(
  graph: GraphSignature,
  model: RunnerModel,
  batchable: boolean,
): WarmUpPlan {
  const given = model.warmup.shapes ?? {};
  for (const input of graph.inputs) assertFits(input, given[input.spec.name]);
  const names = batchNames(graph);
  const isRows = (name: number | string, axis: number) =>
    typeof name === 'string' && (axis === 0 || names.has(name));
  const guessed = graph.inputs.some(
    ({ spec, dimensions }) =>
      given[spec.name] === undefined &&
      dimensions.some(
        (name, axis) => typeof name === 'string' && !(batchable && isRows(name, axis)),
      ),
  );

  const inputsFor =
    (guess: number, guessedRows: number): WarmUpInputs =>
    (rows) =>
      graph.inputs.map(({ spec, dimensions }) => {
        const known = given[spec.name];
        const shape = dimensions.map((name, axis) => {
          if (batchable && axis === 0) return rows;
          if (known !== undefined) return known[axis] ?? 1;
          if (typeof name === 'number') return name;
          return isRows(name, axis) ? guessedRows : guess;
        });
        return zeroTensor(spec.name, spec.datatype, shape);
      });

  if (!guessed) return { candidates: [inputsFor(1, 1)], guessed };
  const candidates = GUESSES.map((guess) => inputsFor(guess, 1));
  return { candidates: batchable ? candidates : [...candidates, inputsFor(16, 16)], guessed };
}

function assertFits({ spec }: GraphTensor, shape: readonly number[] | undefined): void {
  if (shape === undefined) return;
  const fits =
    shape.length === spec.shape.length &&
    spec.shape.every((expected, axis) => axis === 0 || expected === -1 || expected === shape[axis]);
  if (fits) return;
  throw new QuernError(
    'CONFIG_INVALID',
    `model.yaml: warmup.shapes.${spec.name}: got ${formatShape(shape)}, expected ${formatShape(spec.shape)} with numbers for -1`,
  );
}
