import { fieldPath } from './error-text.ts';
import { fieldFromJson, isFieldSpec } from './field-from-json.ts';
import { inputBatchAxis, laneOf } from './lane.ts';
import { maskTensor } from './mask-tensor.ts';
import type { ModelSignature } from './model-signature.ts';
import type { AxisReference } from './padding.ts';
import { formatShape, invalidInput, type Tensor } from './tensor.ts';
import { type TensorForm, tensorFromJson } from './tensor-from-json.ts';
import type { BatchAxis } from './tensor-rows.ts';

/** Inputs that fit a model's signature. */
export interface ModelInputs {
  /** In the order of the signature, masks that were left out included. */
  readonly tensors: readonly Tensor[];
  /** The extent of the batch axis; 1 where the model has none. */
  readonly rows: number;
  /** Equal for inputs that may share a batch as they are; see `laneOf`. */
  readonly lane: string;
  /** How the first input was written. */
  readonly form: TensorForm;
  /** Elements whose bytes are still to be fetched; absent if there are none. */
  readonly references?: readonly InputReference[];
}

/** An element of an input that is the URL of the bytes that are meant. */
export interface InputReference {
  readonly input: string;
  /** Its index among the input's elements. */
  readonly element: number;
}

/**
 * Reads `{tensorName: value}` against a signature.
 * @throws QuernError `INVALID_INPUT` naming the field
 */
export function parseModelInputs(
  input: Readonly<Record<string, unknown>>,
  signature: ModelSignature,
  path = 'input',
): ModelInputs {
  const expected = signature.inputs.map((spec) => spec.name);
  for (const name of Object.keys(input)) {
    if (!expected.includes(name)) {
      throw invalidInput(fieldPath(path, name), `unknown input, expected ${expected.join(', ')}`);
    }
  }
  let form: TensorForm = 'nested';
  const references: InputReference[] = [];
  const tensors = signature.inputs.map((spec, index) => {
    const at = fieldPath(path, spec.name);
    // Own keys only: a model's input may be called "constructor".
    if (!Object.hasOwn(input, spec.name)) {
      if (spec.maskOf !== undefined) return undefined;
      const wanted = spec.field?.kind ?? `${spec.datatype} ${formatShape(spec.shape)}`;
      throw invalidInput(at, `missing, expected ${wanted}`);
    }
    const value = input[spec.name];
    const parsed = isFieldSpec(spec)
      ? fieldFromJson(value, spec, at)
      : tensorFromJson(value, spec, at);
    if (index === 0) form = parsed.form;
    for (const element of parsed.references ?? []) references.push({ input: spec.name, element });
    return parsed.tensor;
  });
  const arranged = arrangeRows(tensors, signature, path);
  return { ...arranged, form, ...(references.length > 0 && { references }) };
}

/**
 * Fills in the masks that were left out, counts the rows of checked tensors and names their lane.
 * @param given per input of the signature its tensor, or undefined for a mask that was left out
 * @throws QuernError `INVALID_INPUT` if inputs disagree on the rows or on a length that they share, or
 *   there are no rows or too many
 */
export function arrangeRows(
  given: readonly (Tensor | undefined)[],
  signature: ModelSignature,
  path: string,
): Omit<ModelInputs, 'form' | 'references'> {
  const tensors = withMasks(given, signature);
  assertLikeLengths(tensors, signature, path);
  const lane = laneOf(tensors, signature);
  if (!signature.batchable) return { tensors, rows: 1, lane };
  const axes = tensors.map((_, index) => inputBatchAxis(signature, index));
  const leader = axes.findIndex((axis) => axis !== null);
  const rows = rowsOf(tensors[leader], axes[leader]) ?? 1;
  for (const [index, tensor] of tensors.entries()) {
    const found = rowsOf(tensor, axes[index]);
    if (found !== undefined && found !== rows) {
      const where = axes[index] === 0 ? '' : ` on axis ${axes[index]}`;
      throw invalidInput(
        fieldPath(path, tensor.name),
        `got ${found} rows${where}, expected ${rows} as in ${tensors[leader]?.name}`,
      );
    }
  }
  if (rows < 1 || rows > signature.maxRows) {
    throw invalidInput(
      fieldPath(path, tensors[leader]?.name ?? ''),
      `got ${rows} rows, expected 1 to ${signature.maxRows}`,
    );
  }
  return { tensors, rows, lane };
}

function rowsOf(tensor: Tensor | undefined, axis: BatchAxis | undefined): number | undefined {
  return axis === null || axis === undefined ? undefined : tensor?.shape[axis];
}

/**
 * Every input of the signature, in its order.
 * @param given as in `arrangeRows`; every input that is no mask must be there
 */
function withMasks(given: readonly (Tensor | undefined)[], { inputs }: ModelSignature): Tensor[] {
  return inputs.flatMap((spec, index) => {
    const tensor = given[index];
    if (tensor !== undefined) return tensor;
    const masked = given.find((other) => other?.name === spec.maskOf);
    return masked === undefined ? [] : maskTensor(spec, masked.shape);
  });
}

/** After padding the lengths are equal whatever they were, and the model could not tell any more. */
function assertLikeLengths(
  tensors: readonly Tensor[],
  { padding }: ModelSignature,
  path: string,
): void {
  const lengthOf = ({ input, axis }: AxisReference) =>
    tensors.find(({ name }) => name === input)?.shape[axis];
  for (const padded of padding?.axes ?? []) {
    if (padded.like === undefined) continue;
    const [found, expected] = [lengthOf(padded), lengthOf(padded.like)];
    if (found === expected) continue;
    throw invalidInput(
      fieldPath(path, padded.input),
      `got ${found} on axis ${padded.axis}, expected ${expected} as on axis ${padded.like.axis} of ${padded.like.input}`,
    );
  }
}
