import { TestRedis } from '@quern/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectRedis, StatisticsStore, StatisticsTally } from '../src/index.ts';

let server: TestRedis;
let redis: Awaited<ReturnType<typeof connectRedis>>;
let store: StatisticsStore;
beforeAll(async () => {
  server = await TestRedis.start();
  redis = await connectRedis({
    url: server.url,
    role: 'worker',
    name: 'test',
    waitMs: 5000,
    onError: () => {},
  });
  store = new StatisticsStore(redis);
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

const RUN = { meanQueueMs: 4, collateMs: 1, inferenceMs: 20, splitMs: 0.5, storeMs: 0.25 };
const MS = 1_000_000n;

test('adds up what several workers have done, size by size', async () => {
  const first = new StatisticsTally(() => {});
  const second = new StatisticsTally(() => {});
  first.ran({ ...RUN, rows: 8, predictions: 4 }, 1000);
  first.ended('success', 30);
  second.ran({ ...RUN, rows: 8, predictions: 2 }, 3000);
  second.ran({ ...RUN, rows: 200, predictions: 1, inferenceMs: 100 }, 2000);
  second.ended('fail', 5);
  await store.add('m', 2, first);
  await store.add('m', 2, second);
  // Nothing is counted twice.
  await store.add('m', 2, first);

  const [statistics, untouched] = await store.read('m', [2, 1]);
  expect(statistics).toEqual({
    lastInferenceMs: 3000,
    rows: 216n,
    batches: 3n,
    success: { count: 1n, ns: 30n * MS },
    fail: { count: 1n, ns: 5n * MS },
    queue: { count: 7n, ns: 28n * MS },
    compute_input: { count: 7n, ns: 7n * MS },
    compute_infer: { count: 7n, ns: 220n * MS },
    compute_output: { count: 7n, ns: 5_250_000n },
    batchSizes: [
      {
        rows: 8,
        compute_input: { count: 2n, ns: 2n * MS },
        compute_infer: { count: 2n, ns: 40n * MS },
        compute_output: { count: 2n, ns: 1_500_000n },
      },
      {
        rows: 256,
        compute_input: { count: 1n, ns: MS },
        compute_infer: { count: 1n, ns: 100n * MS },
        compute_output: { count: 1n, ns: 750_000n },
      },
    ],
  });
  expect(untouched).toMatchObject({ lastInferenceMs: 0, rows: 0n, batchSizes: [] });
});

test('stays exact beyond 2^53', async () => {
  await redis.hset('quern:{n}.statistics:1', 'queue.ns', '9007199254740993');
  const tally = new StatisticsTally(() => {});
  tally.ran({ ...RUN, rows: 1, predictions: 1, meanQueueMs: 1 }, 1);
  await store.add('n', 1, tally);
  const [statistics] = await store.read('n', [1]);
  expect(statistics?.queue.ns).toBe(9_007_199_255_740_993n);
});

test('forgets in the end', async () => {
  expect(await redis.pttl('quern:{m}.statistics:2')).toBeGreaterThan(0);
});
