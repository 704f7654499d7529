import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectRedis, DeviceLeases, InstancePlanStore } from '@quern/queue';
import { modelConfigSchema } from '@quern/runtime';
import { createLogger } from '@quern/service';
import { TestRedis } from '@quern/testkit';
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { availableCores } from '../src/available-cores.ts';
import { InstancePlacer } from '../src/instance-placer.ts';
import {
  InstancePlanner,
  type InstancePlannerOptions,
  type ToPlace,
} from '../src/instance-planner.ts';

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

const logger = createLogger({ name: 'test', level: 'silent', pretty: false });

function planner(options: Partial<InstancePlannerOptions> = {}): InstancePlanner {
  const store = new InstancePlanStore(redis);
  return new InstancePlanner({ store, cores: async () => 4, logger, ...options });
}

/** The placer of one worker. */
function worker(gpus = TWO_GPUS): InstancePlacer {
  const onError = (error: Error) => expect.unreachable(error.message);
  const leases = new DeviceLeases({ redis, onError });
  onTestFinished(() => leases.close());
  return new InstancePlacer({ leases, planner: planner(), gpus: async () => gpus });
}

function toPlace(instances: unknown, executionProviders = ['cuda', 'cpu']): ToPlace {
  const config = modelConfigSchema.parse({ instances, executionProviders });
  const version = { version: 1, modelPath: import.meta.filename };
  return {
    model: { name: 'm', dir: '/models/m', config, versions: [version] },
    version,
    runnerEntry: { entry: 'nothing is run' },
    signal: new AbortController().signal,
  };
}

test('replicas spread over devices, by whatever number each sees them', async () => {
  const there = [
    { deviceId: 0, identity: 'GPU-bbbb' },
    { deviceId: 1, identity: 'GPU-aaaa' },
  ];
  const first = await worker().place(toPlace({}));
  const second = await worker(there).place(toPlace({}));
  const third = await worker().place(toPlace({}));
  expect([first, second, third].map(({ deviceIds }) => deviceIds)).toEqual([[0], [0], [0]]);
  await first.release();
  await third.release();
  expect((await worker(there).place(toPlace({}))).deviceIds).toEqual([1]);
});

test('the instances of one worker spread, too, unless they are pinned', async () => {
  const { deviceIds, instances, threads } = await worker().place(toPlace({ count: 3 }));
  expect({ deviceIds, instances, threads }).toEqual({
    deviceIds: [0, 1, 0],
    instances: 3,
    threads: 1,
  });
  expect((await worker().place(toPlace({ count: 2, device: 0 }))).deviceIds).toEqual([0, 0]);
  // Pinned ones count: the other device has fewer now.
  expect((await worker().place(toPlace({}))).deviceIds).toEqual([1]);
  expect((await worker().place(toPlace({ device: 7 }))).deviceIds).toEqual([7]);
});

test('a model that runs on no CUDA device leases none', async () => {
  expect((await worker().place(toPlace({ count: 2 }, ['webgpu', 'cpu']))).deviceIds).toEqual([]);
  expect((await worker([]).place(toPlace({ count: 2 }))).deviceIds).toEqual([]);
  expect(await redis.keys('*')).toEqual([]);
});

test('on CUDA auto is one instance, which is not measured', async () => {
  const { instances, threads, deviceIds } = await worker().place(toPlace('auto'));
  expect({ instances, threads, deviceIds }).toEqual({ instances: 1, threads: 1, deviceIds: [0] });
});

test('auto is measured once, one model at a time, and remembered under the same conditions', async () => {
  let measuring = 0;
  const asked: unknown[] = [];
  const measure: InstancePlannerOptions['measure'] = async ({ wanted, cores, budgetMs }) => {
    expect(++measuring).toBe(1);
    asked.push({ wanted: wanted.count, cores, budgetMs });
    await new Promise((resolve) => setImmediate(resolve));
    measuring -= 1;
    return { instances: cores, threads: 1, trials: [], isComplete: true };
  };
  const plans = planner({ measure });
  const half = toPlace({ count: 'auto', threads: 2 }, ['cpu']);
  const all = toPlace('auto', ['cpu']);
  expect(await Promise.all([plans.plan(all), plans.plan(half)])).toEqual([
    { instances: 4, threads: 1 },
    { instances: 4, threads: 1 },
  ]);
  expect(await planner({ measure }).plan(all)).toEqual({ instances: 4, threads: 1 });
  expect(asked).toHaveLength(2);
  await planner({ measure, cores: async () => 8 }).plan(all);
  expect(asked[2]).toEqual({ wanted: 'auto', cores: 8, budgetMs: 10_000 });
  expect(await plans.plan(toPlace({ count: 3 }, ['cpu']))).toEqual({ instances: 3, threads: 1 });
  expect(asked).toHaveLength(3);
});

test('a measurement that was cut short is not remembered for long', async () => {
  const unfinished = { instances: 1, threads: 1, trials: [], isComplete: false };
  await planner({ measure: async () => unfinished }).plan(toPlace('auto', ['cpu']));
  const [key = ''] = await redis.keys('*');
  expect(await redis.pttl(key)).toBeLessThanOrEqual(3_600_000);
  expect(await redis.pttl(key)).toBeGreaterThan(0);
});

test('no more cores are counted than the container has', async () => {
  const root = mkdtempSync(join(tmpdir(), 'quern-cgroup-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  const all = availableParallelism();
  expect(await availableCores(root)).toBe(all);
  writeFileSync(join(root, 'cpu.max'), 'max 100000\n');
  expect(await availableCores(root)).toBe(all);
  writeFileSync(join(root, 'cpu.max'), '150000 100000\n');
  expect(await availableCores(root)).toBe(1);
  rmSync(join(root, 'cpu.max'));
  mkdirSync(join(root, 'cpu'));
  writeFileSync(join(root, 'cpu', 'cpu.cfs_period_us'), '100000\n');
  writeFileSync(join(root, 'cpu', 'cpu.cfs_quota_us'), '-1\n');
  expect(await availableCores(root)).toBe(all);
  writeFileSync(join(root, 'cpu', 'cpu.cfs_quota_us'), '50000\n');
  expect(await availableCores(root)).toBe(1);
});
