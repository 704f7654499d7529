import type { TestProcess } from '@quern/testkit';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { untilEnded } from './load.ts';
import { type Refusal, read, submit } from './predictions.ts';
import { type RunningStack, startStack } from './running-stack.ts';

const MAX_QUEUE = 20;
const INPUT = { index: [2] };
const SUCCESS = { status: 'succeeded', output: { y: [[4, 5]] } };

let running: RunningStack;
let worker: TestProcess;

beforeEach(async () => {
  running = await startStack({
    models: [{ name: 'table', onnx: 'gather', yaml: `queue: {maxSize: ${MAX_QUEUE}}\n` }],
    env: { QUERN_LOCK_DURATION_MS: '1000', QUERN_STALLED_INTERVAL_MS: '500' },
  });
  const [only] = running.stack.workers;
  if (only === undefined) throw new Error('no worker');
  worker = only;
});

afterEach(() => running?.stop());

it('accepts predictions for a known model while no worker runs, and completes them when one does', async () => {
  const { stack } = running;
  await worker.stop();
  expect(await stack.get('/v1/models/table')).toMatchObject({ state: 'offline', live_workers: 0 });
  const ids = [];
  for (let i = 0; i < 5; i++) ids.push(await submit(stack, 'table', INPUT));
  for (const id of ids) expect(await read(stack, id)).toMatchObject({ status: 'starting' });
  expect(await stack.get('/v1/models/table')).toMatchObject({ queue: { waiting: 5, active: 0 } });

  stack.addWorker();
  for (const id of ids) expect(await untilEnded(stack, id, 60_000)).toMatchObject(SUCCESS);
});

it('knows no model that no worker has ever served', async () => {
  const response = await running.stack.post('/v1/models/tabel/predictions', { input: INPUT });
  expect(response.status).toBe(404);
  const { error } = (await response.json()) as Refusal;
  expect(error.code).toBe('MODEL_NOT_FOUND');
  expect(error.message).toMatch(/"tabel".*table/);
});

it('refuses what is more than the queue holds, and takes more when there is room', async () => {
  const { stack, redis } = running;
  // Killed: it can leave nothing in order behind it.
  await worker.stop('SIGKILL');
  const responses = await Promise.all(
    Array.from({ length: 3 * MAX_QUEUE }, () =>
      stack.post('/v1/models/table/predictions', { input: INPUT }),
    ),
  );
  const accepted = responses.filter(({ status }) => status === 202);
  const refused = responses.filter(({ status }) => status === 429);
  expect(accepted).toHaveLength(MAX_QUEUE);
  expect(refused).toHaveLength(2 * MAX_QUEUE);
  for (const response of refused) {
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    const { error } = (await response.json()) as Refusal;
    expect(error.code).toBe('QUEUE_FULL');
    expect(error.message).toContain(String(MAX_QUEUE));
  }
  // What was refused has left nothing behind.
  expect(await redis.client.zcard('quern:{table}:table:prioritized')).toBe(MAX_QUEUE);
  expect(await redis.client.zcard('quern:{table}.predictions')).toBe(MAX_QUEUE);

  stack.addWorker();
  const ids = (await Promise.all(accepted.map((response) => response.json()))) as { id: string }[];
  for (const { id } of ids) expect(await untilEnded(stack, id, 60_000)).toMatchObject(SUCCESS);
  const next = await submit(stack, 'table', INPUT);
  expect(await untilEnded(stack, next, 60_000)).toMatchObject(SUCCESS);
});
