import {
  decodeBytesElements,
  QuernError,
  type Tensor,
  type TensorSpec,
  viewBytes,
} from '@quern/contract';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { PostprocessStep } from '../../src/steps/step.ts';
import { loadPostprocessStep, postprocessSchema } from '../../src/steps/step-registry.ts';
import { integers as numbers } from '../harness/numbers.ts';

interface LoadOptions {
  readonly outputs?: readonly TensorSpec[];
  readonly labels?: readonly string[];
}

const scoresSpec = (classes = 3): TensorSpec => ({
  name: 'y',
  datatype: 'FP32',
  shape: [-1, classes],
});

/** A step as `model.yaml` declares it. */
async function load(declared: unknown, { outputs = [scoresSpec()], labels }: LoadOptions = {}) {
  const [config] = postprocessSchema.parse([declared]);
  if (config === undefined) throw new Error('no step');
  return loadPostprocessStep(config, {
    modelFolder: '/nowhere',
    sessionInputs: [],
    labels,
    outputs,
    problem: (key, message) => new QuernError('CONFIG_INVALID', `${key}: ${message}`),
  });
}

function fp32(shape: readonly number[], values: readonly number[], name = 'y'): Tensor {
  return { name, datatype: 'FP32', shape, data: viewBytes(Float32Array.from(values)) };
}

/** What a step gives for scores, by the name of the output; texts as strings. */
async function run(step: PostprocessStep, ...tensors: readonly Tensor[]) {
  const made = await step.run(tensors, { rows: tensors[0]?.shape[0] ?? 0, inputs: [] });
  expect(made.map(({ name }) => name).sort()).toEqual(step.outputs.map(({ name }) => name).sort());
  return Object.fromEntries(
    made.map((tensor) => [
      tensor.name,
      tensor.datatype === 'BYTES' ? decodeBytesElements(tensor.data) : numbers(tensor),
    ]),
  );
}

describe('topK', () => {
  test('gives the best classes by their labels, best first', async () => {
    const step = await load({ topK: { k: 2 } }, { labels: ['cat', 'dog', 'owl'] });
    expect(step.outputs).toEqual([
      { name: 'labels', datatype: 'BYTES', shape: [-1, 2] },
      { name: 'scores', datatype: 'FP32', shape: [-1, 2] },
    ]);
    const made = await run(step, fp32([2, 3], [0.25, 0.5, 0.125, 1, 2, 3]));
    expect(made).toEqual({ labels: ['dog', 'cat', 'owl', 'dog'], scores: [0.5, 0.25, 3, 2] });
  });

  test('gives their numbers where there are no labels', async () => {
    const made = await run(await load({ topK: { k: 2 } }), fp32([1, 3], [1, 1, 2]));
    expect(made).toEqual({ indices: [2, 0], scores: [2, 1] });
  });

  test('ranks as sorting would, what is not a number last', async () => {
    const score = fc.oneof(fc.integer({ min: -3, max: 3 }), fc.constant(Number.NaN));
    const ranks = fc.array(score, { minLength: 4, maxLength: 30 });
    const step = await load({ topK: { k: 4 } }, { outputs: [scoresSpec(-1)] });
    await fc.assert(
      fc.asyncProperty(ranks, async (scores) => {
        const order = scores.map((value, index) => ({ value, index }));
        order.sort((a, b) => {
          if (Number.isNaN(a.value) || Number.isNaN(b.value)) {
            return (
              Number(Number.isNaN(a.value)) - Number(Number.isNaN(b.value)) || a.index - b.index
            );
          }
          return b.value - a.value || a.index - b.index;
        });
        const made = await run(step, fp32([1, scores.length], scores));
        expect(made['indices']).toEqual(order.slice(0, 4).map(({ index }) => index));
      }),
    );
  });

  test.each([
    [{ topK: { k: 4 } }, undefined, /k: got 4, but y has 3 classes/],
    [{ topK: { k: 1 } }, ['a', 'b'], /labels: labels\.txt has 2 labels, but y has 3 classes/],
    [{ argmax: { labels: ['a'] } }, undefined, /labels: got 1 labels, but y has 3/],
    [{ topK: { output: 'z' } }, undefined, /output: z is no output/],
  ])('%j is refused at the load', async (declared, labels, message) => {
    await expect(load(declared, labels === undefined ? {} : { labels })).rejects.toThrow(message);
  });

  test('is refused where it would hide another output', async () => {
    const taken: TensorSpec = { name: 'scores', datatype: 'INT64', shape: [-1] };
    await expect(load('topK', { outputs: [scoresSpec(5), taken] })).rejects.toThrow(
      /makes an output scores, but the model has one/,
    );
  });
});

test('argmax gives the best class of each row', async () => {
  const scores = fp32([2, 3], [0, 0.5, 0.25, 3, 2, 1]);
  const labelled = await load({ argmax: { labels: ['a', 'b', 'c'] } });
  expect(await run(labelled, scores)).toEqual({ label: ['b', 'a'], score: [0.5, 3] });
  expect(await run(await load('argmax'), scores)).toEqual({ index: [1, 0], score: [0.5, 3] });
});

test('sigmoid makes a probability of each score', async () => {
  const made = await run(await load('sigmoid'), fp32([1, 3], [0, 1000, -1000]));
  expect(made).toEqual({ y: [0.5, 1, 0] });
});

test('threshold decides on each score, and passes on the scores and what else there is', async () => {
  const id: TensorSpec = { name: 'id', datatype: 'INT64', shape: [-1] };
  const step = await load({ threshold: { at: 0.5 } }, { outputs: [scoresSpec(), id] });
  const ids: Tensor = { ...id, shape: [1], data: viewBytes(BigInt64Array.of(7n)) };
  const made = await run(step, fp32([1, 3], [0.25, 0.5, 0.75]), ids);
  expect(made).toEqual({ y: [0.25, 0.5, 0.75], decisions: [0, 1, 1], id: [7] });
});
