import { encodeBytesElements, type Tensor, type TensorSpec } from '@quern/contract';
import { numberTensor } from '../number-tensor.ts';
import type { PostprocessContext } from '../step.ts';

/** Writes classes as callers read them: by their labels, or without any by their numbers from 0. */
export interface ClassLabels {
  /** What the tensor of classes will be. */
  spec(shape: number[]): TensorSpec;
  tensor(shape: readonly number[], classes: readonly number[]): Tensor;
}

/** The output's name where there are labels, and where not. */
export interface ClassNames {
  readonly labels: string;
  readonly indices: string;
}

/**
 * @param own labels of the step's settings, before those of `labels.txt`
 * @throws QuernError `CONFIG_INVALID` if there are more or fewer than the output has classes
 */
export function classLabels(
  own: readonly string[] | undefined,
  scores: TensorSpec,
  { labels: shared, problem }: PostprocessContext,
  names: ClassNames,
): ClassLabels {
  const labels = own ?? shared;
  const classes = scores.shape.at(-1) ?? -1;
  if (labels !== undefined && classes !== -1 && labels.length !== classes) {
    const where = own === undefined ? 'labels.txt has' : 'got';
    throw problem(
      'labels',
      `${where} ${labels.length} labels, but ${scores.name} has ${classes} classes`,
    );
  }
  if (labels === undefined) {
    return {
      spec: (shape) => ({ name: names.indices, datatype: 'INT64', shape }),
      tensor: (shape, found) =>
        numberTensor(names.indices, 'INT64', shape, Float64Array.from(found)),
    };
  }
  return {
    spec: (shape) => ({ name: names.labels, datatype: 'BYTES', shape }),
    tensor: (shape, found) => ({
      name: names.labels,
      datatype: 'BYTES',
      shape,
      data: encodeBytesElements(found.map((index) => labels[index] ?? String(index))),
    }),
  };
}
