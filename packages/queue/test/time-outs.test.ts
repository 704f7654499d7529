import { hostname } from 'node:os';
import { eventually, TestRedis } from '@quern/testkit';
import { describe, expect, type TestContext, test } from 'vitest';
import { RegistryPublisher } from '../src/index.ts';
import { resultWith, servedModel, submissionTo, Workbench } from './workbench.ts';

const LONG = { timeoutMs: 20_000 };

async function openAll({ onTestFinished }: TestContext) {
  const server = await TestRedis.start();
  const bench = await Workbench.open(server.url);
  onTestFinished(async () => {
    await bench.close();
    await server.stop();
  });
  return { server, bench, queue: await bench.producer() };
}

// Each of these waits for seconds until a time-out or a heartbeat of the product: together, and apart.
describe.concurrent('in the end', { timeout: 30_000 }, () => {
  test('a Redis that hangs is reported, and then all is well again', async (context) => {
    const { server, bench, queue } = await openAll(context);
    const target = await bench.serve(queue, 'm');
    await queue.submit(submissionTo(target));
    const { pid } = server;
    if (pid === undefined) throw new Error('Redis does not run');
    process.kill(pid, 'SIGSTOP');
    try {
      const calls = [
        queue.submit(submissionTo(target)),
        queue.get('m.01jz5q8r3v6m2k9w4t7y0abcde'),
        queue.list({ limit: 10 }),
        queue.ping(),
      ];
      for (const settled of await Promise.allSettled(calls)) {
        expect(settled).toMatchObject({
          status: 'rejected',
          reason: { code: 'REDIS_UNAVAILABLE', details: { retryAfterSeconds: 1 } },
        });
      }
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await eventually(() => queue.ping().then(() => true));
    bench.consume('m');
    expect((await queue.submit(submissionTo(target), LONG)).prediction.status).toBe('succeeded');
  });

  test('canceling what no worker answers for says that it runs on', async (context) => {
    const { bench, queue } = await openAll(context);
    const target = await bench.serve(queue, 'deaf');
    let release = (): void => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    bench.consume('deaf', async () => {
      await released;
      return resultWith();
    });
    await queue.submit(submissionTo(target, { id: 'deaf-1' }));
    await eventually(async () => (await queue.get('deaf-1'))?.status === 'processing');
    expect((await queue.cancel('deaf-1'))?.status).toBe('processing');
    release();
    expect((await queue.wait('deaf-1', LONG))?.status).toBe('succeeded');
  });

  test('a heartbeat brings back a worker that was given up', async (context) => {
    const { bench, queue } = await openAll(context);
    const publisher = new RegistryPublisher({
      redis: bench.redis,
      record: () => ({
        workerId: 'w1',
        hostname: hostname(),
        pid: process.pid,
        startedAtMs: 0,
        models: [servedModel('back')],
      }),
      onError: (error) => bench.errors.push(error),
    });
    bench.defer(() => publisher.close());
    await publisher.publish();
    await bench.redis.del('quern:{registry}:worker:w1');
    await queue.registry.refresh();
    expect(queue.registry.workers()).toEqual([]);
    await eventually(() => queue.registry.workers().length === 1);
  });
});
