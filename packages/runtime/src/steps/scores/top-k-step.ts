import type { Tensor, TensorSpec } from '@quern/contract';
import { numberTensor } from '../number-tensor.ts';
import { replaceOutput, replaceSpec } from '../replace-output.ts';
import type { PostprocessContext, PostprocessStep } from '../step.ts';
import { classLabels } from './class-labels.ts';
import { floatOutput, floatsOf } from './float-output.ts';
import { bestPlaces, rowsOf } from './ranking.ts';
import type { ArgmaxConfig, TopKConfig } from './scores-config.ts';

/**
 * The step `topK`: scores `[rows, classes]` become `labels` (BYTES; without labels `indices`, INT64) and
 * `scores` (FP32), both `[rows, k]` and best first.
 * @throws QuernError `CONFIG_INVALID` if the model has fewer classes than `k`
 */
export function loadTopKStep(config: TopKConfig, context: PostprocessContext): PostprocessStep {
  const spec = floatOutput(config.output, context);
  const names = { labels: 'labels', indices: 'indices' };
  const labels = classLabels(config.labels, spec, context, names);
  const { k } = config;
  const classes = spec.shape.at(-1) ?? -1;
  if (classes !== -1 && classes < k) {
    throw context.problem('k', `got ${k}, but ${spec.name} has ${classes} classes`);
  }
  const shape = [...spec.shape.slice(0, -1), k];
  const made: TensorSpec[] = [labels.spec(shape), { name: 'scores', datatype: 'FP32', shape }];
  return {
    name: 'topK',
    outputs: replaceSpec(spec, made, context),
    run: (outputs) =>
      replaceOutput(outputs, spec.name, (tensor) => {
        const ranked = rank(tensor, k);
        const own = [...tensor.shape.slice(0, -1), k];
        return [
          labels.tensor(own, ranked.places),
          numberTensor('scores', 'FP32', own, Float64Array.from(ranked.scores)),
        ];
      }),
  };
}

/**
 * The step `argmax`: scores `[rows, classes]` become the best class of each row, `label` (BYTES; without
 * labels `index`, INT64), and its `score` (FP32), both `[rows]`.
 */
export function loadArgmaxStep(config: ArgmaxConfig, context: PostprocessContext): PostprocessStep {
  const spec = floatOutput(config.output, context);
  const names = { labels: 'label', indices: 'index' };
  const labels = classLabels(config.labels, spec, context, names);
  const shape = spec.shape.slice(0, -1);
  const made: TensorSpec[] = [labels.spec(shape), { name: 'score', datatype: 'FP32', shape }];
  return {
    name: 'argmax',
    outputs: replaceSpec(spec, made, context),
    run: (outputs) =>
      replaceOutput(outputs, spec.name, (tensor) => {
        const ranked = rank(tensor, 1);
        const own = tensor.shape.slice(0, -1);
        return [
          labels.tensor(own, ranked.places),
          numberTensor('score', 'FP32', own, Float64Array.from(ranked.scores)),
        ];
      }),
  };
}

function rank(tensor: Tensor, k: number): { places: number[]; scores: number[] } {
  const width = tensor.shape.at(-1) ?? 0;
  if (width < k) throw new Error(`${tensor.name} has ${width} classes, expected at least ${k}`);
  const places: number[] = [];
  const scores: number[] = [];
  for (const row of rowsOf(floatsOf(tensor), width)) {
    for (const place of bestPlaces(row, k)) {
      places.push(place);
      scores.push(row[place] ?? Number.NaN);
    }
  }
  return { places, scores };
}
