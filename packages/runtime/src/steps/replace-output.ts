import type { Tensor, TensorSpec } from '@quern/contract';
import type { PostprocessContext } from './step.ts';

/**
 * The outputs behind a step that makes others of one.
 * @throws QuernError `CONFIG_INVALID` if a new one has the name of one that stays
 */
export function replaceSpec(
  replaced: TensorSpec,
  made: readonly TensorSpec[],
  { outputs, problem }: PostprocessContext,
): TensorSpec[] {
  for (const { name } of made) {
    if (name === replaced.name || outputs.every((output) => output.name !== name)) continue;
    throw problem('', `makes an output ${name}, but the model has one of that name already`);
  }
  return outputs.flatMap((output) => (output === replaced ? made : [output]));
}

/** One entry's outputs with one of them replaced. */
export function replaceOutput(
  outputs: readonly Tensor[],
  name: string,
  make: (tensor: Tensor) => readonly Tensor[],
): Tensor[] {
  return outputs.flatMap((tensor) => (tensor.name === name ? make(tensor) : [tensor]));
}
