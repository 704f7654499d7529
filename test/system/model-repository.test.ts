import { eventually, workerPort } from '@quern/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { untilEnded } from './load.ts';
import { type RunningStack, startStack } from './running-stack.ts';

/** Gives back what it gets. */
const ECHO = { name: 'echo', onnx: 'identity-fp32' };
const INPUT = { x: [[3, 4]] };

let running: RunningStack;

beforeAll(async () => {
  running = await startStack({ models: [ECHO, { ...ECHO, name: 'other' }], workers: 2 });
});

afterAll(() => running?.stop());

it('unloads a model on every worker, and its predictions wait until it is loaded again', async () => {
  const { stack } = running;
  expect(await administer('unload')).toEqual({ status: 200, body: {} });
  expect(await indexOf('echo')).toEqual([
    { name: 'echo', version: '1', state: 'UNAVAILABLE', reason: 'unloaded' },
  ]);
  expect(await indexOf('other')).toMatchObject([{ state: 'READY' }]);
  expect(await stack.get('/v1/models/echo')).toMatchObject({ state: 'unloaded', live_workers: 0 });

  const waiting = await stack.post('/v1/models/echo/predictions', { input: INPUT });
  expect(waiting.status).toBe(202);
  const { id } = (await waiting.json()) as { id: string };
  const tensor = { name: 'x', shape: [1, 2], datatype: 'FP32', data: [3, 4] };
  const refused = await stack.post('/v2/models/echo/infer', { inputs: [tensor] });
  expect([refused.status, await refused.text()]).toEqual([503, expect.stringContaining('/load')]);
  expect(await stack.get(`/v1/predictions/${id}`)).toMatchObject({ status: 'starting' });

  expect(await administer('load')).toEqual({ status: 200, body: {} });
  expect(await indexOf('echo')).toEqual([
    { name: 'echo', version: '1', state: 'READY', reason: '' },
  ]);
  expect(await untilEnded(stack, id, 30_000)).toMatchObject({ status: 'succeeded' });
});

it('takes a changed folder over under load, and no prediction fails', async () => {
  const { stack, models } = running;
  const statuses: string[] = [];
  let isOver = false;
  const caller = async (): Promise<void> => {
    while (!isOver) statuses.push(await predict());
  };
  const callers = Promise.all(Array.from({ length: 6 }, caller));
  try {
    await models.add({ ...ECHO, yaml: 'batching: {maxBatchSize: 5}\n' });
    await models.add({ name: 'echo', onnx: ECHO.onnx }, 2);
    expect(await administer('load')).toEqual({ status: 200, body: {} });
    const before = statuses.length;
    await eventually(() => statuses.length > before + 20);
  } finally {
    isOver = true;
    await callers;
  }
  expect(new Set(statuses)).toEqual(new Set(['succeeded']));
  expect(await stack.get('/v1/models/echo')).toMatchObject({
    live_workers: 2,
    batching: { max_batch_size: 5 },
    versions: [
      { version: '2', state: 'ready' },
      { version: '1', state: 'offline' },
    ],
  });
});

it('says where a folder is wrong, and serves on what it served', async () => {
  const { models } = running;
  await models.add({ name: 'echo', yaml: 'batching:\n  maxBatchSize: -1\n' });
  const { status, body } = await administer('load');
  expect(status).toBe(400);
  expect(body.error).toMatch(
    /^MODEL_LOAD_FAILED: .*echo\/model\.yaml:2:\d+: batching\.maxBatchSize/,
  );
  expect(await predict()).toBe('succeeded');

  await models.add({ name: 'echo', yaml: '' });
  await models.add({ name: 'echo', onnx: new TextEncoder().encode('no model') }, 3);
  expect(await administer('load')).toMatchObject({ status: 400 });
  expect(await predict()).toBe('succeeded');
});

it('loads a model that was not there, and knows none that is not', async () => {
  const { models } = running;
  await models.add({ ...ECHO, name: 'late' });
  expect(await administer('load', 'late')).toEqual({ status: 200, body: {} });
  expect(await predict('late')).toBe('succeeded');
  for (const action of ['load', 'unload'] as const) {
    expect(await administer(action, 'nowhere')).toMatchObject({
      status: 404,
      body: { error: expect.stringMatching(/^MODEL_NOT_FOUND: .*nowhere/) },
    });
  }
});

it('leaves a model unloaded on a worker that takes the place of a killed one', async () => {
  const { stack } = running;
  expect(await administer('unload', 'other')).toMatchObject({ status: 200 });
  stack.workers[0]?.kill('SIGKILL');
  const successor = stack.addWorker();
  const url = `http://127.0.0.1:${await workerPort(successor)}/health/ready`;
  await eventually(async () => {
    const { models } = (await (await fetch(url)).json()) as { models: { name: string }[] };
    expect(models.map(({ name }) => name).sort()).toEqual(['echo', 'late']);
  });
  expect(await indexOf('other')).toMatchObject([{ state: 'UNAVAILABLE', reason: 'unloaded' }]);
});

async function administer(
  action: 'load' | 'unload',
  model = 'echo',
): Promise<{ status: number; body: { error?: string } }> {
  const response = await running.stack.post(`/v2/repository/models/${model}/${action}`, {});
  return { status: response.status, body: (await response.json()) as { error?: string } };
}

async function indexOf(model: string): Promise<unknown[]> {
  const response = await running.stack.post('/v2/repository/index', {});
  const entries = (await response.json()) as { name: string }[];
  return entries.filter(({ name }) => name === model);
}

async function predict(model = 'echo'): Promise<string> {
  const path = `/v1/models/${model}/predictions`;
  const response = await running.stack.post(path, { input: INPUT }, { prefer: 'wait=30' });
  return ((await response.json()) as { status: string }).status;
}
