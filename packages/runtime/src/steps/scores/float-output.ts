import {
  type Datatype,
  formatShape,
  packNumbers,
  type Tensor,
  type TensorSpec,
  unpackNumbers,
} from '@quern/contract';
import type { PostprocessContext } from '../step.ts';

/** The datatypes of scores. */
type FloatDatatype = 'FP16' | 'FP32' | 'FP64';

export function isFloat(datatype: Datatype): datatype is FloatDatatype {
  return datatype === 'FP16' || datatype === 'FP32' || datatype === 'FP64';
}

/**
 * The output of floats that a step reads: the named one, or the only one.
 * @throws QuernError `CONFIG_INVALID` if there is none, or no last axis beside the rows
 */
export function floatOutput(
  name: string | undefined,
  { outputs, problem }: PostprocessContext,
): TensorSpec {
  const candidates = outputs.filter(({ datatype, shape }) => isFloat(datatype) && shape.length > 1);
  const known = candidates.map((spec) => spec.name).join(', ') || 'none';
  const found = name === undefined ? undefined : outputs.find((spec) => spec.name === name);
  if (name === undefined) {
    const [only] = candidates;
    if (only !== undefined && candidates.length === 1) return only;
    throw problem('output', `expected the output to read, one of: ${known}`);
  }
  if (found !== undefined && candidates.includes(found)) return found;
  const got = found === undefined ? 'no output' : `${found.datatype} ${formatShape(found.shape)}`;
  throw problem('output', `${name} is ${got}, expected floats with an axis of classes: ${known}`);
}

/** The numbers of a tensor of floats; a copy. */
export function floatsOf({ name, datatype, data }: Tensor): Float64Array {
  if (!isFloat(datatype)) throw new TypeError(`${name} is ${datatype}, expected floats`);
  return new Float64Array(unpackNumbers(datatype, data));
}

/** Outputs with one of floats changed, row by row along its last axis. */
export function replaceFloats(
  outputs: readonly Tensor[],
  name: string,
  change: (row: Float64Array) => void,
): Tensor[] {
  return outputs.map((tensor) => {
    if (tensor.name !== name || !isFloat(tensor.datatype)) return tensor;
    const numbers = floatsOf(tensor);
    const width = tensor.shape.at(-1) ?? 1;
    for (let start = 0; width > 0 && start < numbers.length; start += width) {
      change(numbers.subarray(start, start + width));
    }
    return { ...tensor, data: packNumbers(tensor.datatype, numbers) };
  });
}
