import type { PostprocessContext, PostprocessStep } from '../step.ts';
import { floatOutput, replaceFloats } from './float-output.ts';
import type { ScoresConfig } from './scores-config.ts';

/** The step `sigmoid`: each score becomes a probability of its own, 1 / (1 + e^-score). */
export function loadSigmoidStep(
  config: ScoresConfig,
  context: PostprocessContext,
): PostprocessStep {
  const spec = floatOutput(config.output, context);
  return {
    name: 'sigmoid',
    outputs: context.outputs,
    run: (outputs) =>
      replaceFloats(outputs, spec.name, (row) => {
        for (let i = 0; i < row.length; i++) row[i] = 1 / (1 + Math.exp(-(row[i] ?? 0)));
      }),
  };
}
