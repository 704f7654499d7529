import type { PredictionStatus } from '@quern/contract';
import { TestRedis } from '@quern/testkit';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ListQuery, PredictionQueue } from '../src/index.ts';
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

async function pages(query: ListQuery): Promise<string[][]> {
  const all: string[][] = [];
  let cursor: string | undefined;
  do {
    const page = await queue.list({ ...query, ...(cursor !== undefined && { cursor }) });
    all.push(page.predictions.map(({ id }) => id));
    cursor = page.next;
  } while (cursor !== undefined);
  return all;
}

/** Submits predictions and then lets them look as if made at these times. */
async function makeAt(model: string, times: Readonly<Record<string, number>>): Promise<void> {
  const target = await bench.serve(queue, model, { maxSize: 100_000 });
  await Promise.all(Object.keys(times).map((id) => queue.submit(submissionTo(target, { id }))));
  for (const [id, timeMs] of Object.entries(times)) {
    await bench.redis.zadd(`quern:{${model}}.predictions`, 'XX', timeMs, id);
  }
}

describe('the list', () => {
  test('is newest first, in pages, the last without a cursor', async () => {
    await makeAt('paged', { a: 1000, b: 2000, c: 3000, d: 4000 });
    expect(await pages({ model: 'paged', limit: 2 })).toEqual([
      ['d', 'c'],
      ['b', 'a'],
    ]);
    expect(await pages({ model: 'paged', limit: 3 })).toEqual([['d', 'c', 'b'], ['a']]);
    expect(await pages({ model: 'paged', limit: 100 })).toEqual([['d', 'c', 'b', 'a']]);
  });

  test('is empty for a model without predictions', async () => {
    await bench.serve(queue, 'fresh');
    expect(await queue.list({ model: 'fresh', limit: 10 })).toEqual({ predictions: [] });
  });

  test('keeps its pages while new predictions arrive', async () => {
    await makeAt('moving', { 'm-1': 1000, 'm-2': 2000, 'm-3': 3000 });
    const first = await queue.list({ model: 'moving', limit: 2 });
    const target = await queue.registry.resolve('moving');
    await queue.submit(submissionTo(target, { id: 'm-4' }));
    const second = await queue.list({ model: 'moving', limit: 2, cursor: first.next ?? '' });
    expect(first.predictions.map(({ id }) => id)).toEqual(['m-3', 'm-2']);
    expect(second.predictions.map(({ id }) => id)).toEqual(['m-1']);
  });

  test('shows each of 350 predictions of one millisecond exactly once', async () => {
    const ids = Array.from({ length: 350 }, (_, i) => `same-${i}`);
    await makeAt('same-time', Object.fromEntries(ids.map((id) => [id, 5000])));
    const shown = (await pages({ model: 'same-time', limit: 60 })).flat();
    expect(shown.length).toBe(350);
    expect(new Set(shown)).toEqual(new Set(ids));
  });

  test('over several models is one sequence by time, whatever the times and page sizes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.tuple(fc.constantFrom('all-a', 'all-b', 'all-c'), fc.integer({ max: 3, min: 1 })),
          {
            maxLength: 12,
          },
        ),
        fc.integer({ min: 1, max: 5 }),
        async (made, limit) => {
          await bench.redis.flushall();
          for (const model of ['all-a', 'all-b', 'all-c']) {
            await makeAt(
              model,
              Object.fromEntries(
                made.flatMap(([of, timeMs], i) => (of === model ? [[`p-${i}`, timeMs]] : [])),
              ),
            );
          }
          const shown = (await pages({ limit })).flat();
          const expected = made
            .map(([, timeMs], i) => ({ id: `p-${i}`, timeMs }))
            .sort((a, b) => b.timeMs - a.timeMs || (a.id < b.id ? 1 : -1))
            .map(({ id }) => id);
          expect(shown).toEqual(expected);
        },
      ),
      { numRuns: 15 },
    );
  });

  test('can be filtered by status', async () => {
    const target = await bench.serve(queue, 'filtered', { attempts: 1 });
    const wanted: Record<string, PredictionStatus> = {};
    const consumer = bench.consume('filtered', async ({ id }) => {
      if (id.startsWith('failed')) throw new Error('as asked');
      return resultWith();
    });
    for (let i = 0; i < 30; i++) {
      const status = i % 3 === 0 ? 'failed' : 'succeeded';
      wanted[`${status}-${i}`] = status;
      await queue.submit(submissionTo(target, { id: `${status}-${i}` }), { timeoutMs: 20_000 });
    }
    await consumer.close();
    await queue.submit(submissionTo(target, { id: 'waiting-1' }));
    await queue.submit(submissionTo(target, { id: 'canceled-1' }));
    await queue.cancel('canceled-1');
    const of = async (status: PredictionStatus): Promise<string[]> =>
      (await pages({ model: 'filtered', status, limit: 4 })).flat().sort();
    const idsOf = (status: PredictionStatus): string[] =>
      Object.keys(wanted)
        .filter((id) => wanted[id] === status)
        .sort();
    expect(await of('failed')).toEqual(idsOf('failed'));
    expect(await of('succeeded')).toEqual(idsOf('succeeded'));
    expect(await of('starting')).toEqual(['waiting-1']);
    expect(await of('canceled')).toEqual(['canceled-1']);
    expect(await of('processing')).toEqual([]);
  });

  test('passes over predictions whose retention has ended', async () => {
    await makeAt('thinned', { 't-1': 1000, 't-2': 2000, 't-3': 3000 });
    await bench.redis.del('quern:{thinned}:thinned:t-2');
    expect(await pages({ model: 'thinned', limit: 1 })).toEqual([['t-3'], ['t-1']]);
  });

  test('does not read large outputs', async () => {
    const target = await bench.serve(queue, 'large');
    bench.consume('large', async ({ resultKey }) => {
      await bench.redis.set(resultKey, 'not even tensors');
      return resultWith({ outputKey: resultKey });
    });
    const { id } = (await queue.submit(submissionTo(target))).prediction;
    const { predictions } = await queue.list({ model: 'large', limit: 10 });
    expect(predictions).toMatchObject([{ id, dataRemoved: false }]);
  });

  test.each(['', 'x', 'bm90IGpzb24', Buffer.from('[1]').toString('base64url'), '__proto__'])(
    'refuses the cursor %j',
    async (cursor) => {
      await bench.serve(queue, 'cursors');
      await expect(queue.list({ model: 'cursors', cursor, limit: 10 })).rejects.toMatchObject({
        code: 'INVALID_REQUEST',
        details: { path: 'cursor' },
      });
    },
  );

  test('of an unknown model is an error', async () => {
    await expect(queue.list({ model: 'no-such', limit: 10 })).rejects.toMatchObject({
      code: 'MODEL_NOT_FOUND',
    });
  });
});
