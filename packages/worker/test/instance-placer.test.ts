import { connectRedis, DeviceLeases } from '@quern/queue';
import { modelConfigSchema, type RepositoryModel } from '@quern/runtime';
import { TestRedis } from '@quern/testkit';
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { InstancePlacer } from '../src/instance-placer.ts';

let server: TestRedis;
let redis: Awaited<ReturnType<typeof connectRedis>>;
beforeAll(async () => {
  server = await TestRedis.start();
  const waitMs = 10_000;
  redis = await connectRedis({ url: server.url, role: 'worker', name: 't', waitMs, onError() {} });
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});
beforeEach(() => redis.flushall());

const TWO_GPUS = [
  { deviceId: 0, identity: 'GPU-aaaa' },
  { deviceId: 1, identity: 'GPU-bbbb' },
];

/** The placer of one worker. */
function worker(gpus = TWO_GPUS): InstancePlacer {
  const onError = (error: Error) => expect.unreachable(error.message);
  const leases = new DeviceLeases({ redis, onError });
  onTestFinished(() => leases.close());
  return new InstancePlacer({ leases, gpus: async () => gpus });
}

function model(instances: object, executionProviders = ['cuda', 'cpu']): RepositoryModel {
  const config = modelConfigSchema.parse({ instances, executionProviders });
  return { name: 'm', dir: '/models/m', config, versions: [] };
}

test('replicas spread over devices, by whatever number each sees them', async () => {
  const there = [
    { deviceId: 0, identity: 'GPU-bbbb' },
    { deviceId: 1, identity: 'GPU-aaaa' },
  ];
  const first = await worker().place(model({}));
  const second = await worker(there).place(model({}));
  const third = await worker().place(model({}));
  expect([first, second, third].map(({ deviceIds }) => deviceIds)).toEqual([[0], [0], [0]]);
  await first.release();
  await third.release();
  expect((await worker(there).place(model({}))).deviceIds).toEqual([1]);
});

test('the instances of one worker spread, too, unless they are pinned', async () => {
  const { deviceIds, instances, threads } = await worker().place(model({ count: 3 }));
  expect({ deviceIds, instances, threads }).toEqual({
    deviceIds: [0, 1, 0],
    instances: 3,
    threads: 1,
  });
  expect((await worker().place(model({ count: 2, device: 0 }))).deviceIds).toEqual([0, 0]);
  // Pinned ones count: the other device has fewer now.
  expect((await worker().place(model({}))).deviceIds).toEqual([1]);
  expect((await worker().place(model({ device: 7 }))).deviceIds).toEqual([7]);
});

test('a model that runs on no CUDA device leases none', async () => {
  expect((await worker().place(model({ count: 2 }, ['webgpu', 'cpu']))).deviceIds).toEqual([]);
  expect((await worker([]).place(model({ count: 2 }))).deviceIds).toEqual([]);
  expect(await redis.keys('*')).toEqual([]);
});
