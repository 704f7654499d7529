import { eventually, TestModels, workerPort } from '@quern/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { untilEnded } from './load.ts';
import { type Refusal, submit } from './predictions.ts';
import { type RunningStack, startStack } from './running-stack.ts';

interface WireModel {
  readonly name: string;
  readonly state: string;
  readonly problems?: readonly string[];
  readonly versions: readonly { readonly state: string; readonly reason?: string }[];
}

/** What is wrong with each folder, and what must be said of it. */
const BROKEN = [
  {
    model: { name: 'corrupt', onnx: 'corrupt' },
    says: /^(Model corrupt version 1 cannot be loaded: )?cpu: Load model from model\.onnx failed/,
  },
  {
    model: {
      name: 'unknown-key',
      onnx: 'gather',
      yaml: 'description: a table\nbatching:\n  maxBatchsize: 8\n',
    },
    says: /unknown-key\/model\.yaml:3:3: batching\.maxBatchsize: .*did you mean maxBatchSize/,
  },
  {
    model: { name: 'wrong-type', onnx: 'gather', yaml: 'queue:\n  attempts: often\n' },
    says: /wrong-type\/model\.yaml:2:\d+: queue\.attempts: .*number/,
  },
  {
    model: { name: 'not-yaml', onnx: 'gather', yaml: 'batching: {mode: [fixed\n' },
    says: /not-yaml\/model\.yaml:\d+:\d+: not valid YAML/,
  },
  { model: { name: 'empty' }, says: /empty\/1\/model\.onnx: missing/ },
];

let running: RunningStack;

beforeAll(async () => {
  running = await startStack({
    models: [
      { name: 'good', onnx: 'gather' },
      // Its second version has no file.
      { name: 'half', onnx: 'gather', yaml: 'versions: {specific: [1, 2]}\n' },
      { name: 'no:name', onnx: 'gather' },
      ...BROKEN.map(({ model }) => model),
    ],
    dashboard: true,
  });
});

afterAll(() => running?.stop());

it('serves the good model', async () => {
  const id = await submit(running.stack, 'good', { index: [3] });
  expect(await untilEnded(running.stack, id, 30_000)).toMatchObject({
    status: 'succeeded',
    output: { y: [[6, 7]] },
  });
});

it('serves the versions of a model that are there, and tells of those that are not', async () => {
  const { stack } = running;
  expect(await stack.get('/v1/models/half')).toMatchObject({
    state: 'ready',
    problems: [expect.stringMatching(/half\/2\/model\.onnx: missing/)],
  });
  const id = await submit(stack, 'half', { index: [1] });
  expect(await untilEnded(stack, id, 30_000)).toMatchObject({ output: { y: [[2, 3]] } });
});

it('shows a folder whose name no model can have, without a queue of its own', async () => {
  const { stack } = running;
  const { results } = (await stack.get('/v1/models')) as { results: WireModel[] };
  expect(results.find(({ name }) => name === 'no:name')).toMatchObject({
    state: 'unhealthy',
    problems: [expect.stringMatching(/no:name: not a model name/)],
  });
  const response = await stack.post('/v1/models/no:name/predictions', { input: { index: [1] } });
  expect(response.status).toBe(404);

  const board = await fetch(`${stack.dashboardUrl}/api/queues`);
  const { queues } = (await board.json()) as { queues: { name: string }[] };
  const names = queues.map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining(['good', 'half', 'corrupt']));
  expect(names).not.toContain('no:name');
});

it('is ready nevertheless, and alive', async () => {
  const [worker] = running.stack.workers;
  if (worker === undefined) throw new Error('no worker');
  const response = await fetch(`http://127.0.0.1:${await workerPort(worker)}/health/ready`);
  expect(response.status).toBe(200);
  expect(await response.json()).toMatchObject({ ready: true });
  expect(worker.exit).toBeUndefined();
});

describe.each(BROKEN)('$model.name', ({ model: { name }, says }) => {
  it('is shown as unhealthy with the reason', async () => {
    const { results } = (await running.stack.get('/v1/models')) as { results: WireModel[] };
    const shown = results.find((model) => model.name === name);
    expect(shown?.state).toBe('unhealthy');
    const reasons = [...(shown?.problems ?? []), ...(shown?.versions ?? []).map((v) => v.reason)];
    expect(reasons.join('\n')).toMatch(says);
  });

  it('refuses predictions with the reason, and says when to try again', async () => {
    const response = await running.stack.post(`/v1/models/${name}/predictions`, {
      input: { index: [1] },
    });
    expect(response.status).toBe(503);
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
    const { error } = (await response.json()) as Refusal;
    expect(error.code).toBe('MODEL_UNAVAILABLE');
    expect(error.message).toMatch(says);
    expect(error.message.match(/cannot be|could not be/g)).toHaveLength(1);
    expect(error.message).toMatch(new RegExp(`^Model ${name} `));
  });
});

it('serves a mended model after a restart of the worker', async () => {
  const { stack, models } = running;
  await models.add({ name: 'wrong-type', onnx: 'gather', yaml: 'queue:\n  attempts: 2\n' });
  await stack.workers[0]?.stop();
  stack.addWorker();
  await stack.untilModelsSettled();
  await eventually(async () =>
    expect(await stack.get('/v1/models/wrong-type')).toMatchObject({ state: 'ready' }),
  );
  const id = await submit(stack, 'wrong-type', { index: [4] });
  expect(await untilEnded(stack, id, 30_000)).toMatchObject({ output: { y: [[8, 9]] } });
  expect(await stack.get('/v1/models/wrong-type')).not.toHaveProperty('problems');
});

it('starts over a folder that holds no model at all', async () => {
  const { stack } = running;
  const none = await TestModels.make([]);
  try {
    const worker = stack.addWorker({ QUERN_MODELS: none.directory });
    await worker.line(/No model in /);
    const response = await fetch(`http://127.0.0.1:${await workerPort(worker)}/health/ready`);
    expect(response.status).toBe(200);
    expect(await worker.stop()).toEqual({ code: 0, signal: null });
  } finally {
    await none.remove();
  }
});
