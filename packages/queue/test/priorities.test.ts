import type { Priority } from '@quern/contract';
import { eventually, TestRedis } from '@quern/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type ModelTarget,
  openBullQueue,
  type PredictionQueue,
  ReturnToQueue,
} from '../src/index.ts';
import { liftWaiting } from '../src/lift-waiting.ts';
import { resultWith, submissionTo, Workbench } from './workbench.ts';

let server: TestRedis;
let bench: Workbench;
let queue: PredictionQueue;
beforeAll(async () => {
  server = await TestRedis.start();
  bench = await Workbench.open(server.url);
  queue = await bench.producer();
});
afterAll(async () => {
  await bench.close();
  await server.stop();
});

const LONG = { timeoutMs: 20_000 };

async function add(target: ModelTarget, priority: Priority, ids: readonly string[]): Promise<void> {
  for (const id of ids) await queue.submit(submissionTo(target, { id, priority }));
}

function numbered(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${name}-${i}`);
}

/** Starts a consumer of one prediction at a time; returns the ids in the order in which they start. */
function startOrder(model: string): string[] {
  const started: string[] = [];
  bench.consume(
    model,
    async ({ id }) => {
      started.push(id);
      return resultWith();
    },
    { concurrency: 1 },
  );
  return started;
}

describe('a flood of high ones', () => {
  test('does not keep low ones from starting, however long it lasts', async () => {
    const target = await bench.serve(queue, 'flood', { maxSize: 100_000 });
    await add(target, 'low', numbered('fl', 3));
    await Promise.all(
      numbered('fh', 600).map((id) => queue.submit(submissionTo(target, { id, priority: 'high' }))),
    );
    const lastLow = queue.wait('fl-2', { timeoutMs: 60_000 });
    // Each start is asked for by another that arrives: the flood does not end before the low ones do.
    let more = 0;
    let isOver = false;
    const order: string[] = [];
    bench.consume(
      'flood',
      async (held) => {
        order.push(held.id);
        if (!isOver) {
          more += 1;
          await queue.submit(submissionTo(target, { id: `fm-${more}`, priority: 'high' }));
        }
        return resultWith();
      },
      { concurrency: 4 },
    );
    expect((await lastLow)?.status).toBe('succeeded');
    isOver = true;
    expect(order.filter((id) => id.startsWith('fl'))).toEqual(numbered('fl', 3));
  });

  test('comes after what was lifted over it', async () => {
    const target = await bench.serve(queue, 'shares', { maxSize: 100_000 });
    for (const [priority, name] of [
      ['high', 'sh'],
      ['normal', 'sn'],
      ['low', 'sl'],
    ] as const) {
      await add(target, priority, numbered(name, 60));
    }
    // Lifted as the shares say, without a clock: 2 rounds of 4 normal and 1 low.
    for (let round = 0; round < 2; round++) {
      expect(await liftWaiting(bench.redis, 'shares', { normal: 4, low: 1 })).toEqual({
        normal: 4,
        low: 1,
      });
    }
    const started = startOrder('shares');
    await eventually(() => started.length === 180);
    // The consumer lifts more itself, but these went first.
    const beforeHigh = started.slice(0, started.indexOf('sh-0'));
    expect(beforeHigh).toEqual(
      expect.arrayContaining([...numbered('sn', 8), ...numbered('sl', 2)]),
    );
  });
});

describe('a lifted prediction', () => {
  test('is still counted, found, canceled and expired', async () => {
    const target = await bench.serve(queue, 'kept');
    await add(target, 'high', ['kh']);
    await add(target, 'low', ['kl-0', 'kl-1']);
    await queue.submit(submissionTo(target, { id: 'kl-2', priority: 'low', timeoutMs: 400 }));
    expect(await liftWaiting(bench.redis, 'kept', { normal: 5, low: 5 })).toMatchObject({ low: 3 });
    expect(await queue.depth('kept')).toMatchObject({ waiting: 4 });
    expect((await queue.depth('kept')).oldestWaitingMs).toBeGreaterThan(0);
    expect((await queue.get('kl-0'))?.status).toBe('starting');
    expect((await queue.cancel('kl-0'))?.status).toBe('canceled');
    expect((await queue.wait('kl-2', LONG))?.status).toBe('expired');
    const bull = openBullQueue(bench.redis, 'kept');
    expect((await bull.getJob('kl-1'))?.data).toMatchObject({ priority: 'low' });
    expect(await (await bull.getJob('kl-1'))?.getState()).toBe('prioritized');
    await bull.close();
    const started = startOrder('kept');
    await eventually(() => started.length === 2);
    expect(started).toEqual(['kl-1', 'kh']);
  });

  test('runs as a high one, and stays so when it is given back', async () => {
    const target = await bench.serve(queue, 'back');
    await add(target, 'high', ['bh']);
    await add(target, 'low', ['bl-0', 'bl-1']);
    await liftWaiting(bench.redis, 'back', { normal: 0, low: 1 });
    const seen: string[] = [];
    bench.consume(
      'back',
      async ({ id, attempt, data, runsAs }) => {
        seen.push(`${id} ${data.priority} as ${runsAs}`);
        if (id === 'bl-0' && attempt === 1) throw new ReturnToQueue('not now');
        return resultWith();
      },
      { concurrency: 1 },
    );
    await eventually(() => seen.length === 4);
    expect(seen[0]).toBe('bl-0 low as high');
    expect(seen.slice(1, 3).toSorted()).toEqual(['bh high as high', 'bl-0 low as high']);
    expect(seen[3]).toBe('bl-1 low as low');
  });

  test('of a class before which nothing waits there is only one', async () => {
    const target = await bench.serve(queue, 'free');
    await add(target, 'normal', numbered('fn', 5));
    expect(await liftWaiting(bench.redis, 'free', { normal: 5, low: 5 })).toEqual({
      normal: 1,
      low: 0,
    });
  });
});
