import type { WirePrediction } from '@quern/contract';
import { eventually, TestModels, TestRedis, TestStack } from '@quern/testkit';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { untilEnded } from './load.ts';

/** A run of the slow model takes about a second, so that a worker always has one running. */
const TRIPS = 300_000;
const COUNT = 40;

let redis: TestRedis;
let models: TestModels;
let stack: TestStack;

beforeEach(async () => {
  redis = await TestRedis.start();
  models = await TestModels.make([
    { name: 'slow', onnx: 'busy-loop', yaml: 'batching: {mode: fixed, maxBatchSize: 4}\n' },
  ]);
  stack = await TestStack.start({ redisUrl: redis.url, models: models.directory, workers: 1 });
});

afterEach(async () => {
  await stack?.stop();
  await models?.remove();
  await redis?.stop();
});

it('on SIGTERM gives back what has not started within a second, and fails nothing', async () => {
  const input = { x: [Array(16).fill(0.5)], trips: [[TRIPS]] };
  const ids = await Promise.all(
    Array.from({ length: COUNT }, async () => {
      const response = await stack.post('/v1/models/slow/predictions', { input });
      return ((await response.json()) as WirePrediction).id;
    }),
  );
  const { client } = redis;
  const count = (suffix: string): Promise<number> => client.llen(`quern:{slow}:slow:${suffix}`);
  await eventually(async () => (await count('active')) > 8);

  const [first] = stack.workers;
  if (first === undefined) throw new Error('no worker');
  const stoppedAtMs = performance.now();
  first.kill('SIGTERM');
  // At most the running batch and the one made ready behind it stay with the worker.
  await eventually(async () => (await count('active')) <= 8, 5000);
  expect(performance.now() - stoppedAtMs).toBeLessThan(1000);
  expect(await first.exited).toEqual({ code: 0, signal: null });
  expect(await count('active')).toBe(0);

  stack.addWorker();
  const ended = await Promise.all(ids.map((id) => untilEnded(stack, id, 90_000)));
  expect(new Set(ended.map(({ status }) => status))).toEqual(new Set(['succeeded']));
});
