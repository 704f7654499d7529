import { type Datatype, datatypeFromOnnx, QuernError, type TensorSpec } from '@quern/contract';
import type { InferenceSession } from 'onnxruntime-node';
import type { RunnerModel } from '../runner/runner-model.ts';

/** A tensor of the graph with the names of its dynamic dimensions, which the signature drops. */
export interface GraphTensor {
  readonly spec: TensorSpec;
  /** Per axis: its extent, or the name of a dynamic dimension ('' if it has none). */
  readonly dimensions: readonly (number | string)[];
}

/** What the ONNX file says before anything has run. */
export interface GraphSignature {
  readonly inputs: readonly GraphTensor[];
  /** The outputs that are tensors. */
  readonly outputs: readonly GraphTensor[];
  readonly warnings: readonly string[];
}

/**
 * Reads inputs and outputs from a loaded session.
 * @throws QuernError `MODEL_UNAVAILABLE` if an input or every output is no tensor that Quern can carry,
 *   `CONFIG_INVALID` if model.yaml names an input that the model has not
 */
export function readGraph(session: InferenceSession, model: RunnerModel): GraphSignature {
  const inputs = session.inputMetadata.map((input) => readInput(input, model));
  const outputs: GraphTensor[] = [];
  const warnings: string[] = [];
  for (const output of session.outputMetadata) {
    const tensor = readTensor(output);
    if (typeof tensor === 'string') {
      warnings.push(`output ${output.name} is left out: ${tensor}`);
    } else {
      outputs.push(tensor);
    }
  }
  if (outputs.length === 0) {
    throw new QuernError(
      'MODEL_UNAVAILABLE',
      `the model has no output that is a tensor (${warnings.join('; ')}); export it without ZipMap or sequences`,
    );
  }
  assertNames('inputs', Object.keys(model.inputs), inputs);
  assertNames('warmup.shapes', Object.keys(model.warmup.shapes ?? {}), inputs);
  return { inputs, outputs, warnings };
}

function readInput(input: InferenceSession.ValueMetadata, model: RunnerModel): GraphTensor {
  const tensor = readTensor(input);
  if (typeof tensor === 'string') {
    throw new QuernError('MODEL_UNAVAILABLE', `input ${input.name} cannot be fed: ${tensor}`);
  }
  const { allowNonFinite } = model.inputs[input.name] ?? {};
  if (allowNonFinite === undefined) return tensor;
  return { ...tensor, spec: { ...tensor.spec, allowNonFinite } };
}

/** The tensor, or why it cannot be carried. */
function readTensor(value: InferenceSession.ValueMetadata): GraphTensor | string {
  if (!value.isTensor) return 'it is a sequence, map or optional, and only tensors are supported';
  const datatype: Datatype | undefined = datatypeFromOnnx(value.type);
  if (datatype === undefined) return `its element type ${value.type} is not supported`;
  const shape = value.shape.map((dimension) => (typeof dimension === 'number' ? dimension : -1));
  return { spec: { name: value.name, datatype, shape }, dimensions: value.shape };
}

function assertNames(key: string, names: readonly string[], inputs: readonly GraphTensor[]): void {
  const known = inputs.map((input) => input.spec.name);
  for (const name of names) {
    if (!known.includes(name)) {
      throw new QuernError(
        'CONFIG_INVALID',
        `model.yaml: ${key}.${name}: the model has no such input, expected ${known.join(', ')}`,
      );
    }
  }
}
