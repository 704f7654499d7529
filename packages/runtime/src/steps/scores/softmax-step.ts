import type { PostprocessContext, PostprocessStep } from '../step.ts';
import { floatOutput, replaceFloats } from './float-output.ts';
import type { ScoresConfig } from './scores-config.ts';

/** The step `softmax`: scores along the last axis become probabilities that add up to 1. */
export function loadSoftmaxStep(
  config: ScoresConfig,
  context: PostprocessContext,
): PostprocessStep {
  const spec = floatOutput(config.output, context);
  return {
    name: 'softmax',
    outputs: context.outputs,
    run: (outputs) => replaceFloats(outputs, spec.name, (row) => softmax(row)),
  };
}

/** In place; the largest is subtracted first, so that no exponent overflows. */
export function softmax(scores: Float64Array): void {
  let largest = Number.NEGATIVE_INFINITY;
  for (const score of scores) if (score > largest) largest = score;
  let sum = 0;
  for (let i = 0; i < scores.length; i++) {
    const weight = Math.exp((scores[i] ?? 0) - largest);
    scores[i] = weight;
    sum += weight;
  }
  for (let i = 0; i < scores.length; i++) scores[i] = (scores[i] ?? 0) / sum;
}
