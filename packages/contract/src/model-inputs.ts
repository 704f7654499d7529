import { fieldPath } from './error-text.ts';
import type { ModelSignature } from './model-signature.ts';
import { formatShape, invalidInput, type Tensor } from './tensor.ts';
import { type TensorForm, tensorFromJson } from './tensor-from-json.ts';

/** Inputs that fit a model's signature. */
export interface ModelInputs {
  /** In the order of the signature. */
  readonly tensors: readonly Tensor[];
  /** The extent of axis 0; 1 where the model has no batch axis. */
  readonly rows: number;
  /** Equal for inputs that may share a batch: their shapes without the rows. */
  readonly lane: string;
  /** How the first input was written. */
  readonly form: TensorForm;
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
  const tensors = signature.inputs.map((spec, index) => {
    const at = fieldPath(path, spec.name);
    // Own keys only: a model's input may be called "constructor".
    if (!Object.hasOwn(input, spec.name)) {
      throw invalidInput(at, `missing, expected ${spec.datatype} ${formatShape(spec.shape)}`);
    }
    const parsed = tensorFromJson(input[spec.name], spec, at);
    if (index === 0) form = parsed.form;
    return parsed.tensor;
  });
  return { ...arrangeRows(tensors, signature, path), form };
}

/**
 * Counts the rows of checked tensors and names their lane.
 * @throws QuernError `INVALID_INPUT` if inputs disagree on the rows, or there are none or too many
 */
export function arrangeRows(
  tensors: readonly Tensor[],
  signature: ModelSignature,
  path: string,
): Omit<ModelInputs, 'form'> {
  if (!signature.batchable) {
    return { tensors, rows: 1, lane: tensors.map((tensor) => tensor.shape.join('x')).join(';') };
  }
  const rows = tensors[0]?.shape[0] ?? 1;
  for (const tensor of tensors) {
    if (tensor.shape[0] !== rows) {
      throw invalidInput(
        fieldPath(path, tensor.name),
        `got ${tensor.shape[0]} rows, expected ${rows} as in ${tensors[0]?.name}`,
      );
    }
  }
  if (rows < 1 || rows > signature.maxRows) {
    throw invalidInput(
      fieldPath(path, tensors[0]?.name ?? ''),
      `got ${rows} rows, expected 1 to ${signature.maxRows}`,
    );
  }
  const lane = tensors.map((tensor) => tensor.shape.slice(1).join('x')).join(';');
  return { tensors, rows, lane };
}
