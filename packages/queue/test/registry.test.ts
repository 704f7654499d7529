import { hostname } from 'node:os';
import type { ServedModel, WorkerRecord } from '@quern/contract';
import { eventually, TestRedis } from '@quern/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type PredictionQueue, RegistryPublisher } from '../src/index.ts';
import { servedModel, submissionTo, Workbench } from './workbench.ts';

let server: TestRedis;
let bench: Workbench;
let queue: PredictionQueue;
beforeAll(async () => {
  server = await TestRedis.start();
});
afterAll(() => server.stop());
beforeEach(async () => {
  bench = await Workbench.open(server.url);
  await bench.redis.flushall();
  queue = await bench.producer();
});
afterEach(() => bench.close());

function recordOf(workerId: string, models: readonly ServedModel[], startedAtMs = 0): WorkerRecord {
  return { workerId, hostname: hostname(), pid: 1, startedAtMs, models: [...models] };
}

async function publish(workerId: string, ...models: ServedModel[]): Promise<RegistryPublisher> {
  return publishRecord(recordOf(workerId, models));
}

async function publishRecord(record: WorkerRecord): Promise<RegistryPublisher> {
  const publisher = new RegistryPublisher({
    redis: bench.redis,
    record: () => record,
    onError: (error) => bench.errors.push(error),
  });
  bench.defer(() => publisher.close());
  await publisher.publish();
  return publisher;
}

function withVersions(name: string, ...versions: Partial<ServedModel['versions'][0]>[]) {
  const model = servedModel(name);
  const [base] = model.versions;
  if (base === undefined) throw new Error('no version');
  return { ...model, versions: versions.map((version) => ({ ...base, ...version })) };
}

describe('the registry', () => {
  test('hears of a new model, and of a worker that says goodbye, without being asked', async () => {
    const refreshed = new Promise<void>((resolve) => {
      const stop = queue.registry.onRefresh(() => {
        if (queue.registry.model('news') === undefined) return;
        stop();
        resolve();
      });
    });
    const publisher = await publish('w1', servedModel('news'));
    await refreshed;
    expect(queue.registry.model('news')).toMatchObject({ liveWorkers: 1 });
    expect(queue.registry.workers()).toMatchObject([{ workerId: 'w1' }]);
    await publisher.close();
    await eventually(() => queue.registry.model('news')?.liveWorkers === 0);
    expect(queue.registry.model('news')?.versions).toMatchObject([{ state: 'offline' }]);
  });

  test('accepts predictions for a known model while no worker lives', async () => {
    await (await publish('w1', servedModel('asleep'))).close();
    await queue.registry.refresh();
    const target = await queue.registry.resolve('asleep');
    const { prediction } = await queue.submit(submissionTo(target));
    expect(prediction.status).toBe('starting');
  });

  test('forgets a worker that died without a goodbye when its heartbeat has run out', async () => {
    await publish('w1', servedModel('abandoned'));
    const ttlMs = await bench.redis.pttl('quern:{registry}:worker:w1');
    expect(ttlMs).toBeGreaterThan(5000);
    expect(ttlMs).toBeLessThanOrEqual(15_000);
    await queue.registry.refresh();
    expect(queue.registry.model('abandoned')?.liveWorkers).toBe(1);
    // What Redis does to the record when no heartbeat comes.
    await bench.redis.pexpire('quern:{registry}:worker:w1', 1);
    await eventually(async () => (await bench.redis.exists('quern:{registry}:worker:w1')) === 0);
    await queue.registry.refresh();
    expect(queue.registry.model('abandoned')?.liveWorkers).toBe(0);
    expect(await bench.redis.smembers('quern:{registry}:workers')).toEqual([]);
    expect((await queue.registry.resolve('abandoned')).version).toBe(1);
  });

  test('passes over what it cannot read, and shows the rest', async () => {
    await publish('w1', servedModel('readable'));
    const newer = { ...servedModel('newer'), queue: { limits: 'another format' } };
    await bench.redis.hset('quern:{registry}:models', {
      newer: JSON.stringify(newer),
      broken: '{"name":',
      'not-an-object': '7',
    });
    await bench.redis.sadd('quern:{registry}:workers', 'w2', 'w3');
    await bench.redis.set('quern:{registry}:worker:w2', 'garbage');
    await bench.redis.set('quern:{registry}:worker:w3', '{"workerId":3}');
    await queue.registry.refresh();
    expect(queue.registry.models().map(({ name }) => name)).toEqual(['readable']);
    expect(queue.registry.workers().map(({ workerId }) => workerId)).toEqual(['w1']);
    expect((await queue.registry.resolve('readable')).version).toBe(1);
  });

  test('merges what several workers say of a model', async () => {
    const stats = {
      rowsPerSecond: 100,
      predictionsPerSecond: 10,
      batches: 3,
      rows: 30,
      meanBatchRows: 10,
      meanInferenceMs: 5,
      meanQueueMs: 1,
      failed: 1,
    };
    await publish('w1', {
      ...withVersions('merged', { version: 1, executionProvider: 'cpu' }),
      stats,
    });
    await publish('w2', {
      ...withVersions(
        'merged',
        { version: 1, executionProvider: 'cuda', instances: 2 },
        { version: 2, state: 'loading' },
      ),
      stats: { ...stats, batches: 1, meanBatchRows: 50 },
    });
    await queue.registry.refresh();
    expect(queue.registry.model('merged')).toMatchObject({
      liveWorkers: 2,
      versions: [
        { version: 2, state: 'loading', instances: 1 },
        { version: 1, state: 'ready', instances: 3, executionProviders: ['cpu', 'cuda'] },
      ],
      stats: { predictionsPerSecond: 20, batches: 4, meanBatchRows: 20, failed: 2 },
    });
  });
});

test('where workers disagree on settings, the one that started last is right', async () => {
  for (const [workerId, startedAtMs, maxSize] of [
    ['w-b', 2000, 20],
    ['w-c', 3000, 30],
    ['w-a', 1000, 10],
  ] as const) {
    const record = { ...recordOf(workerId, [servedModel('rolling', { maxSize })]), startedAtMs };
    await bench.redis.set(`quern:{registry}:worker:${workerId}`, JSON.stringify(record));
    await bench.redis.sadd('quern:{registry}:workers', workerId);
    await bench.redis.hset('quern:{registry}:models', 'rolling', JSON.stringify(record.models[0]));
  }
  await queue.registry.refresh();
  expect(queue.registry.workers().map(({ workerId }) => workerId)).toEqual(['w-c', 'w-b', 'w-a']);
  expect(queue.registry.model('rolling')).toMatchObject({ liveWorkers: 3, queue: { maxSize: 30 } });
});

describe('resolving', () => {
  test('takes the newest version that is ready, or the one that was named', async () => {
    await publish(
      'w1',
      withVersions('m', { version: 1 }, { version: 2 }, { version: 3, state: 'loading' }),
    );
    await queue.registry.refresh();
    expect(await queue.registry.resolve('m')).toMatchObject({ version: 2, isPinned: false });
    expect(await queue.registry.resolve('m', '1')).toMatchObject({ version: 1, isPinned: true });
    expect((await queue.registry.resolve('m', '3')).version).toBe(3);
    await expect(queue.registry.resolve('m', '4')).rejects.toMatchObject({
      code: 'VERSION_NOT_FOUND',
      message: 'Model m has no version "4", expected one of 3, 2, 1.',
    });
  });

  test('falls back to a version that may come back rather than one that cannot be loaded', async () => {
    await (await publish('w1', withVersions('m', { version: 1 }, { version: 2 }))).close();
    await publish('w2', withVersions('m', { version: 2, state: 'unhealthy', reason: 'corrupt' }));
    await queue.registry.refresh();
    expect((await queue.registry.resolve('m')).version).toBe(1);
    await expect(queue.registry.resolve('m', '2')).rejects.toMatchObject({
      code: 'MODEL_UNAVAILABLE',
      message: 'Model m version 2 is unhealthy: corrupt',
    });
  });

  test.each(['no-such', '__proto__', 'constructor', '', '../x', 'ü'.repeat(10_000)])(
    '%.20j is not found, and the message stays short',
    async (name) => {
      await publish('w1', servedModel('known'));
      await queue.registry.refresh();
      await expect(queue.registry.resolve(name)).rejects.toMatchObject({
        code: 'MODEL_NOT_FOUND',
        message: expect.stringMatching(/^Unknown model .{0,120}; known are known\.$/),
      });
    },
  );

  test('a worker whose file does not load does not hide what another one knows', async () => {
    await publish('w1', servedModel('shared'));
    const broken = {
      ...servedModel('shared'),
      versions: [{ version: 1, state: 'unhealthy' as const, reason: 'corrupt', instances: 0 }],
    };
    await publish('w2', broken);
    await queue.registry.refresh();
    expect((await queue.registry.resolve('shared')).signature.inputs).toHaveLength(1);
  });
});

describe('what stays known', () => {
  const version = { state: 'ready' as const, instances: 1 };

  test('the versions of every worker, and the settings of the one that started last', async () => {
    const records = [30, 10, 20].map((startedAtMs) => {
      const model = withVersions('rolled', { ...version, version: startedAtMs });
      const queueSettings = { ...model.queue, maxSize: startedAtMs };
      return recordOf(`w${startedAtMs}`, [{ ...model, queue: queueSettings }], startedAtMs);
    });
    // All at once: none may overwrite what another has just written.
    const publishers = await Promise.all(records.map(publishRecord));
    await Promise.all(publishers.map((publisher) => publisher.close()));
    await queue.registry.refresh();
    expect(queue.registry.model('rolled')).toMatchObject({
      liveWorkers: 0,
      queue: { maxSize: 30 },
      versions: [{ version: 30 }, { version: 20 }, { version: 10 }],
    });
    expect((await queue.registry.resolve('rolled', '10')).signature.inputs).toHaveLength(1);
  });

  test('is shown but not kept of a model that no worker has loaded', async () => {
    const publisher = await publish(
      'w1',
      { ...servedModel('empty'), versions: [], problems: ['no model file'] },
      {
        ...servedModel('bad'),
        versions: [{ version: 1, state: 'unhealthy', reason: 'it is cut off', instances: 0 }],
      },
    );
    await queue.registry.refresh();
    expect(queue.registry.models().map(({ name }) => name)).toEqual(['bad', 'empty']);
    await expect(queue.registry.resolve('bad')).rejects.toMatchObject({
      code: 'MODEL_UNAVAILABLE',
    });
    expect(await bench.redis.exists('quern:{registry}:models')).toBe(0);
    await publisher.close();
    await queue.registry.refresh();
    expect(queue.registry.models()).toEqual([]);
  });

  test('a heartbeat under way when a worker says goodbye does not bring it back', async () => {
    const publisher = await publish('w1', servedModel('leaving'));
    await Promise.all([publisher.publish(), publisher.publish(), publisher.close()]);
    expect(await bench.redis.exists('quern:{registry}:worker:w1')).toBe(0);
    expect(await bench.redis.smembers('quern:{registry}:workers')).toEqual([]);
  });
});
