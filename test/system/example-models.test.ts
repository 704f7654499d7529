import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { WirePrediction } from '@quern/contract';
import { EXAMPLE_MODELS, TestModels, TestRedis, TestStack } from '@quern/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { greyPng } from './grey-png.ts';
import { distance, readSamples } from './samples.ts';

/** The main job, whole: HTTP in, Redis, batch, ONNX Runtime, result out, on every example model. */
const MODELS = ['credit-risk', 'digits', 'language'];

/** The same models, taking what callers have: steps before and behind them. */
const STEPPED = [
  {
    name: 'picture',
    example: 'digits',
    yaml: `preprocess: [{image: {scale: ${16 / 255}}}]\npostprocess: [{argmax: {labels: [${[...'0123456789'].map((digit) => `"${digit}"`)}]}}]\n`,
  },
  { name: 'applicant', example: 'credit-risk', yaml: 'preprocess: [record]\n' },
];

let redis: TestRedis;
let models: TestModels;
let stack: TestStack;

beforeAll(async () => {
  redis = await TestRedis.start();
  models = await TestModels.make([]);
  for (const model of MODELS) await models.addExample(model);
  for (const { name, example, yaml } of STEPPED) {
    const onnx = await readFile(join(EXAMPLE_MODELS, example, '1', 'model.onnx'));
    await models.add({ name, onnx, yaml });
  }
  stack = await TestStack.start({
    redisUrl: redis.url,
    models: models.directory,
    workers: 1,
    env: { QUERN_EGRESS_ALLOW: '127.0.0.1' },
  });
});

afterAll(async () => {
  await stack?.stop();
  await redis?.stop();
  await models?.remove();
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

describe('a model with steps', () => {
  const predict = async (model: string, input: unknown) => {
    const path = `/v1/models/${model}/predictions`;
    const response = await stack.post(path, { input }, { prefer: 'wait=30' });
    return { status: response.status, body: (await response.json()) as WirePrediction };
  };

  /** A handwritten digit as a file; the data has brightnesses from 0 to 16. */
  async function pictureOf(name: string): Promise<Buffer> {
    const sample = (await readSamples('digits')).find((one) => one.name === `${name}.json`);
    if (sample === undefined) throw new Error(`the sample ${name} is gone`);
    const [[rows = []] = []] = sample.input['image'] as number[][][][];
    return greyPng(rows.map((row) => row.map((value) => value / 16)));
  }

  it('reads pictures, by data URL, in base64, several in one, and raw', async () => {
    const [three, eight] = await Promise.all([pictureOf('three'), pictureOf('eight')]);
    const url = `data:image/png;base64,${three.toString('base64')}`;
    expect((await predict('picture', { image: url })).body.output).toMatchObject({ label: ['3'] });
    const both = [three, eight].map((file) => file.toString('base64'));
    const answer = await predict('picture', { image: both });
    expect(answer.body.output).toMatchObject({ label: ['3', '8'] });
    const response = await fetch(`${stack.apiUrl}/v2/models/picture/infer`, {
      method: 'POST',
      headers: { 'inference-header-content-length': '0' },
      body: new Uint8Array(eight),
    });
    // A raw request is answered with raw elements: of the label its length, and the label.
    const answered = Buffer.from(await response.arrayBuffer());
    const elements = answered.subarray(
      Number(response.headers.get('inference-header-content-length')),
    );
    expect(elements.includes(Buffer.from([1, 0, 0, 0, 0x38]))).toBe(true);
  });

  it('fails a damaged picture alone', async () => {
    const good = (await pictureOf('three')).toString('base64');
    const bad = Buffer.from('no picture').toString('base64');
    const answers = await Promise.all(
      [good, bad, good].map((image) => predict('picture', { image })),
    );
    expect(answers.map(({ body }) => body.status)).toEqual(['succeeded', 'failed', 'succeeded']);
    expect(answers[1]?.body.error).toMatchObject({ code: 'PREPROCESS_FAILED' });
  });

  it('fetches pictures by URL, and a missing one fails alone', async () => {
    const eight = await pictureOf('eight');
    const server = createServer(({ url }, response) => {
      if (url === '/eight.png') response.end(eight);
      else response.writeHead(404).end();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      const answers = await Promise.all(
        ['/eight.png', '/none.png'].map((path) => predict('picture', { image: `${base}${path}` })),
      );
      expect(answers[0]?.body.output).toMatchObject({ label: ['8'] });
      expect(answers[1]?.body.error).toMatchObject({ code: 'INPUT_FETCH_FAILED' });
      const refused = await predict('picture', { image: 'http://10.0.0.1/eight.png' });
      expect(refused.status).toBe(400);
      expect(refused.body.error).toMatchObject({ code: 'ADDRESS_REFUSED' });
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });

  it('takes records', async () => {
    const sample = (await readSamples('credit-risk')).find(({ name }) => name === 'good.json');
    const record = Object.fromEntries(
      Object.entries(sample?.input ?? {}).map(([key, value]) => [
        key,
        (value as unknown[][])[0]?.[0],
      ]),
    );
    const { body } = await predict('applicant', { record });
    expect(distance(body.output, sample?.expected)).toBeLessThan(1e-4);
  });
});
