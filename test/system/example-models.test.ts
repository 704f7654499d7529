import type { WirePrediction } from '@quern/contract';
import { EXAMPLE_MODELS, TestRedis, TestStack } from '@quern/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { distance, readSamples } from './samples.ts';

/** The main job, whole: HTTP in, Redis, batch, ONNX Runtime, result out, on every example model. */
const MODELS = ['credit-risk', 'digits', 'language'];

let redis: TestRedis;
let stack: TestStack;

beforeAll(async () => {
  redis = await TestRedis.start();
  stack = await TestStack.start({ redisUrl: redis.url, models: EXAMPLE_MODELS, workers: 1 });
});

afterAll(async () => {
  await stack?.stop();
  await redis?.stop();
});

describe.each(MODELS)('%s', (model) => {
  it('answers every sample right, waiting for it in one call', async () => {
    for (const sample of await readSamples(model)) {
      const response = await stack.post(
        `/v1/models/${model}/predictions`,
        { input: sample.input },
        { prefer: 'wait=30' },
      );
      expect(response.status, sample.name).toBe(200);
      const prediction = (await response.json()) as WirePrediction;
      expect(prediction.status, sample.name).toBe('succeeded');
      expect(distance(prediction.output, sample.expected), sample.name).toBeLessThan(
        sample.tolerance,
      );
    }
  });

  it('answers the same by submitting first and asking later', async () => {
    const [sample] = await readSamples(model);
    const response = await stack.post(`/v1/models/${model}/predictions`, { input: sample?.input });
    expect(response.status).toBe(202);
    const accepted = (await response.json()) as WirePrediction;
    expect(response.headers.get('location')).toContain(accepted.id);
    const ended = (await stack.get(`/v1/predictions/${accepted.id}?wait=30`)) as WirePrediction;
    expect(ended.status).toBe('succeeded');
    expect(distance(ended.output, sample?.expected)).toBeLessThan(sample?.tolerance ?? 0);
  });
});

it('takes the same input by the Open Inference Protocol', async () => {
  const sample = (await readSamples('digits')).find(({ name }) => name === 'batch-of-seven.json');
  if (sample === undefined) throw new Error('the sample is gone');
  const image = sample.input['image'] as unknown[];
  const response = await stack.post('/v2/models/digits/infer', {
    id: 'mine',
    inputs: [{ name: 'image', shape: [image.length, 1, 8, 8], datatype: 'FP32', data: image }],
  });
  expect(response.status).toBe(200);
  const answer = (await response.json()) as {
    id: string;
    outputs: { name: string; shape: number[]; data: number[] }[];
  };
  expect(answer.id).toBe('mine');
  expect(answer.outputs[0]).toMatchObject({ name: 'probabilities', shape: [image.length, 10] });
  const expected = (sample.expected['probabilities'] as number[][]).flat();
  expect(distance(answer.outputs[0]?.data, expected)).toBeLessThan(1e-4);
});

it('batches what arrives together', async () => {
  const [sample] = await readSamples('digits');
  const responses = await Promise.all(
    Array.from({ length: 200 }, () =>
      stack.post('/v1/models/digits/predictions', { input: sample?.input }, { prefer: 'wait' }),
    ),
  );
  const predictions = (await Promise.all(responses.map((response) => response.json()))) as {
    metrics: { batch_size: number };
  }[];
  expect(Math.max(...predictions.map(({ metrics }) => metrics.batch_size))).toBeGreaterThan(1);
});
