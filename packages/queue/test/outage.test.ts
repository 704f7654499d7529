import { eventually, TestRedis } from '@quern/testkit';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ModelTarget, PredictionQueue } from '../src/index.ts';
import { inputOf, submissionTo, Workbench } from './workbench.ts';

let server: TestRedis;
let bench: Workbench;
let queue: PredictionQueue;
let target: ModelTarget;
beforeEach(async () => {
  server = await TestRedis.start({ appendfsync: 'always' });
  bench = await Workbench.open(server.url);
  queue = await bench.producer();
  // However fast the machine, no result goes before the test has looked at it.
  const retention = { ageSeconds: 3600, count: 1_000_000 };
  target = await bench.serve(queue, 'm', {
    maxSize: 100_000,
    retention: { succeeded: retention, failed: retention },
  });
});
afterEach(async () => {
  await bench.close();
  await server.stop();
});

const LONG = { timeoutMs: 20_000 };
const UNAVAILABLE = { code: 'REDIS_UNAVAILABLE', details: { retryAfterSeconds: 1 } };

describe('while Redis is down', () => {
  test('every call fails at once, and all is well when it is back', async () => {
    const { prediction } = await queue.submit(submissionTo(target));
    const unused = await bench.serve(queue, 'not-used-before');
    await server.kill();
    for (const call of [
      () => queue.submit(submissionTo(target)),
      () => queue.submit(submissionTo(target), LONG),
      () => queue.submit(submissionTo(target, { id: 'mine' })),
      () => queue.submit(submissionTo(target, { tensor: inputOf(10_000) })),
      () => queue.submit(submissionTo(unused)),
      () => queue.get(prediction.id),
      () => queue.wait(prediction.id, LONG),
      () => queue.cancel(prediction.id),
      () => queue.list({ limit: 10 }),
      () => queue.depth('m'),
      () => queue.ping(),
    ]) {
      await expect(call()).rejects.toMatchObject(UNAVAILABLE);
    }
    await eventually(() =>
      expect(queue.registry.resolve('not-known')).rejects.toMatchObject(UNAVAILABLE),
    );
    // Known models are answered from memory.
    expect((await queue.registry.resolve('m')).version).toBe(1);
    await server.start();
    await eventually(() => queue.ping().then(() => true));
    expect((await queue.submit(submissionTo(unused))).created).toBe(true);
    bench.consume('m');
    expect((await queue.wait(prediction.id, LONG))?.status).toBe('succeeded');
  });

  test('a wait goes on, and is answered after the restart', async () => {
    const waiting = queue.submit(submissionTo(target), LONG);
    await eventually(async () => (await queue.depth('m')).waiting === 1);
    await server.kill();
    await server.start();
    bench.consume('m');
    expect((await waiting).prediction.status).toBe('succeeded');
  });

  test('a wait that runs out says that the prediction was accepted', async () => {
    const waiting = queue.submit(submissionTo(target), { timeoutMs: 700 });
    await eventually(async () => (await queue.depth('m')).waiting === 1);
    await server.kill();
    expect(await waiting).toMatchObject({ created: true, prediction: { status: 'starting' } });
  });

  test('producers and consumers without work close', async () => {
    const idle = bench.consume('m');
    await eventually(async () => (await queue.submit(submissionTo(target), LONG)).created);
    await server.kill();
    await eventually(() => bench.redis.status !== 'ready');
    await Promise.all([queue.close(), idle.close()]);
  });
});

test('memory that is full is an outage too, and accepted predictions still end', async () => {
  const { prediction } = await queue.submit(submissionTo(target));
  await bench.redis.config('SET', 'maxmemory', '1mb');
  await expect(queue.submit(submissionTo(target))).rejects.toMatchObject({
    code: 'REDIS_UNAVAILABLE',
    message: 'Redis has no memory left.',
  });
  await bench.redis.config('SET', 'maxmemory', '0');
  bench.consume('m');
  expect((await queue.wait(prediction.id, LONG))?.status).toBe('succeeded');
});

test('killed and restarted under load: what was accepted ends, with its own answer', async () => {
  const consume = (): unknown => bench.consume('m', undefined, { lockDurationMs: 1000 });
  consume();
  consume();
  const accepted = new Map<string, number>();
  let refused = 0;
  let isOver = false;
  const client = async (first: number): Promise<void> => {
    for (let i = first; !isOver; i += 4) {
      try {
        const { prediction } = await queue.submit(submissionTo(target, { tensor: inputOf(1, i) }));
        accepted.set(prediction.id, i);
      } catch (error) {
        expect(error).toMatchObject({ code: 'REDIS_UNAVAILABLE' });
        refused += 1;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
  };
  const clients = [0, 1, 2, 3].map(client);
  for (let round = 1; round <= 2; round++) {
    await eventually(() => accepted.size >= round * 100);
    await server.kill();
    const before = refused;
    await eventually(() => refused > before + 10);
    await server.start();
  }
  await eventually(() => accepted.size >= 300);
  isOver = true;
  await Promise.all(clients);
  await eventually(async () => {
    const { waiting, active } = await queue.depth('m');
    return waiting + active === 0;
  }, 15_000);
  for (const [id, i] of accepted) {
    const prediction = await queue.get(id);
    expect(prediction).toMatchObject({ status: 'succeeded', outputs: [inputOf(1, i)] });
  }
}, 40_000);
