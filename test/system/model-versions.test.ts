import { eventually, TestModels, type TestProcess } from '@quern/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { untilEnded } from './load.ts';
import { type RunningStack, startStack } from './running-stack.ts';

/** Version 1 looks rows of a table up; version 2 gives back what it gets. */
const LOOKUP = { version: 1, onnx: 'gather', input: { index: [3] }, output: { y: [[6, 7]] } };
const ECHO = { version: 2, onnx: 'identity-fp32', input: { x: [[3]] }, output: { y: [[3]] } };

let running: RunningStack;
let olderModels: TestModels;
/** Each worker has a version of its own, as in the middle of a roll-out. */
let older: TestProcess;
let newer: TestProcess;

beforeAll(async () => {
  running = await startStack({ models: [], workers: 0 });
  const { stack, models } = running;
  await models.add({ name: 'turns', onnx: ECHO.onnx }, ECHO.version);
  olderModels = await TestModels.make([]);
  await olderModels.add({ name: 'turns', onnx: LOOKUP.onnx }, LOOKUP.version);
  newer = stack.addWorker();
  older = stack.addWorker({ QUERN_MODELS: olderModels.directory });
  await stack.untilModelsSettled();
});

afterAll(async () => {
  await running?.stop();
  await olderModels?.remove();
});

it('shows both versions, each as the worker that has it serves it', async () => {
  expect(await running.stack.get('/v1/models/turns')).toMatchObject({
    state: 'ready',
    live_workers: 2,
    versions: [
      { version: '2', state: 'ready', inputs: [{ name: 'x' }] },
      { version: '1', state: 'ready', inputs: [{ name: 'index' }] },
    ],
  });
});

it('runs each prediction on the worker that has its version', async () => {
  const { stack } = running;
  const cases = Array.from({ length: 12 }, (_, i) => (i % 2 === 0 ? LOOKUP : ECHO));
  const ids = await Promise.all(cases.map(({ version, input }) => submitTo(version, input)));
  for (const [i, id] of ids.entries()) {
    const { version, output } = cases[i] ?? LOOKUP;
    expect(await untilEnded(stack, id, 60_000)).toMatchObject({
      status: 'succeeded',
      version: String(version),
      output,
    });
    expect(await ownerOf(id)).toBe((version === 1 ? older : newer).pid);
  }
});

it('takes the newest version unless told otherwise', async () => {
  const { stack } = running;
  const response = await stack.post(
    '/v1/models/turns/predictions',
    { input: ECHO.input },
    { prefer: 'wait=30' },
  );
  expect(await response.json()).toMatchObject({ version: '2', output: ECHO.output });
});

it('refuses a version that nobody has, and names those there are', async () => {
  const { stack } = running;
  const response = await stack.post('/v1/models/turns/versions/3/predictions', { input: {} });
  expect(response.status).toBe(404);
  expect(await response.json()).toMatchObject({
    error: { code: 'VERSION_NOT_FOUND', message: expect.stringMatching(/2, 1/) },
  });
});

it('accepts predictions for both versions while both workers are away', async () => {
  await Promise.all([older.stop(), newer.stop()]);
  await eventually(async () =>
    expect(await running.stack.get('/v1/models/turns')).toMatchObject({
      live_workers: 0,
      versions: [
        { version: '2', state: 'offline' },
        { version: '1', state: 'offline' },
      ],
    }),
  );
  for (const { version, input } of [LOOKUP, ECHO]) await submitTo(version, input);
});

async function submitTo(version: number, input: unknown): Promise<string> {
  const path = `/v1/models/turns/versions/${version}/predictions`;
  const response = await running.stack.post(path, { input });
  expect(response.status).toBe(202);
  return ((await response.json()) as { id: string }).id;
}

/** The process that ran a prediction. */
async function ownerOf(id: string): Promise<number> {
  const owner = await running.redis.client.hget(`quern:{turns}:turns:${id}`, 'pb');
  return Number(owner?.split('-').at(-1));
}
