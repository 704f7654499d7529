import {
  type Datatype,
  datatypeFromOnnx,
  formatShape,
  QuernError,
  type TensorSpec,
} from '@quern/contract';
import type { InferenceSession } from 'onnxruntime-node';
import { configProblem } from '../repository/config-positions.ts';
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
 *   `CONFIG_INVALID` if model.yaml names an input, an output or an axis that the model has not
 */
export function readGraph(session: InferenceSession, model: RunnerModel): GraphSignature {
  const inputs = session.inputMetadata.map((input) => readInput(input, model));
  // Against all outputs, also those that are left out: the name is right even if the tensor is of no use.
  assertNames('outputs', Object.keys(model.outputs ?? {}), session.outputNames, model);
  const outputs: GraphTensor[] = [];
  const warnings: string[] = [];
  for (const output of session.outputMetadata) {
    const tensor = readTensor(output);
    if (typeof tensor === 'string') {
      warnings.push(`output ${output.name} is left out: ${tensor}`);
    } else {
      const { batchAxis } = model.outputs?.[output.name] ?? {};
      outputs.push(withBatchAxis(tensor, 'outputs', batchAxis, model));
    }
  }
  if (outputs.length === 0) {
    throw new QuernError(
      'MODEL_UNAVAILABLE',
      `the model has no output that is a tensor (${warnings.join('; ')}); export it without ZipMap or sequences`,
    );
  }
  const names = session.inputNames;
  assertNames('inputs', Object.keys(model.inputs), names, model);
  assertNames('warmup.values', Object.keys(model.warmup.values ?? {}), names, model);
  assertNames('warmup.shapes', Object.keys(model.warmup.shapes ?? {}), names, model);
  return { inputs, outputs, warnings };
}

function readInput(input: InferenceSession.ValueMetadata, model: RunnerModel): GraphTensor {
  const tensor = readTensor(input);
  if (typeof tensor === 'string') {
    throw new QuernError('MODEL_UNAVAILABLE', `input ${input.name} cannot be fed: ${tensor}`);
  }
  const { allowNonFinite, batchAxis } = model.inputs[input.name] ?? {};
  const { spec, dimensions } = withBatchAxis(tensor, 'inputs', batchAxis, model);
  return { dimensions, spec: allowNonFinite === undefined ? spec : { ...spec, allowNonFinite } };
}

/** Notes the declared batch axis in the spec, where it is another than the first. */
function withBatchAxis(
  { spec, dimensions }: GraphTensor,
  section: 'inputs' | 'outputs',
  declared: number | 'none' | undefined,
  model: RunnerModel,
): GraphTensor {
  if (declared === undefined || declared === 0) return { spec, dimensions };
  if (declared === 'none') return { spec: { ...spec, batchAxis: null }, dimensions };
  // An output of unknown rank has no dimensions: the warm-up tells.
  if (declared >= spec.shape.length && (section === 'inputs' || spec.shape.length > 0)) {
    const key = `${section}.${spec.name}.batchAxis`;
    const problem = `got ${declared}, expected an axis of ${formatShape(spec.shape)}, counted from 0`;
    throw configProblem(model.configPositions, key, problem);
  }
  return { spec: { ...spec, batchAxis: declared }, dimensions };
}

/** The tensor, or why it cannot be carried. */
function readTensor(value: InferenceSession.ValueMetadata): GraphTensor | string {
  if (!value.isTensor) return 'it is a sequence, map or optional, and only tensors are supported';
  const datatype: Datatype | undefined = datatypeFromOnnx(value.type);
  if (datatype === undefined) return `its element type ${value.type} is not supported`;
  const shape = value.shape.map((dimension) => (typeof dimension === 'number' ? dimension : -1));
  return { spec: { name: value.name, datatype, shape }, dimensions: value.shape };
}

function assertNames(
  key: string,
  names: readonly string[],
  known: readonly string[],
  model: RunnerModel,
): void {
  const unknown = names.find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const kind = key === 'outputs' ? 'output' : 'input';
  throw configProblem(
    model.configPositions,
    `${key}.${unknown}`,
    `the model has no such ${kind}, expected ${known.join(', ')}`,
  );
}
