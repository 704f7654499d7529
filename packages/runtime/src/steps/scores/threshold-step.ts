import type { TensorSpec } from '@quern/contract';
import { numberTensor } from '../number-tensor.ts';
import { replaceOutput, replaceSpec } from '../replace-output.ts';
import type { PostprocessContext, PostprocessStep } from '../step.ts';
import { floatOutput, floatsOf } from './float-output.ts';
import type { ThresholdConfig } from './scores-config.ts';

/** The step `threshold`: beside scores it gives `decisions` (BOOL, of their shape), true from `at` on. */
export function loadThresholdStep(
  { output, at }: ThresholdConfig,
  context: PostprocessContext,
): PostprocessStep {
  const spec = floatOutput(output, context);
  const decisions: TensorSpec = { name: 'decisions', datatype: 'BOOL', shape: [...spec.shape] };
  return {
    name: 'threshold',
    outputs: replaceSpec(spec, [spec, decisions], context),
    run: (outputs) =>
      replaceOutput(outputs, spec.name, (tensor) => {
        const isTrue = floatsOf(tensor).map((score) => Number(score >= at));
        return [tensor, numberTensor('decisions', 'BOOL', tensor.shape, isTrue)];
      }),
  };
}
