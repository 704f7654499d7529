import type { QueueSettings } from '@quern/contract';
import { TestRedis } from '@quern/testkit';
import type { Queue } from 'bullmq';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Housekeeping, openBullQueue, PayloadStore, type PredictionQueue } from '../src/index.ts';
import { reserveId } from '../src/reservation.ts';
import { inputOf, resultWith, submissionTo, Workbench } from './workbench.ts';

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
const HOUR_MS = 3_600_000;

function keep(succeededCount: number, failedCount: number): QueueSettings['retention'] {
  return {
    succeeded: { ageSeconds: 3600, count: succeededCount },
    failed: { ageSeconds: 3600, count: failedCount },
  };
}

/** One round of housekeeping, as a worker does it every few seconds. */
async function tidy(model: string): Promise<Queue> {
  const bull = openBullQueue(bench.redis, model);
  bench.defer(() => bull.close());
  const target = await queue.registry.resolve(model);
  const housekeeping = new Housekeeping({
    redis: bench.redis,
    queues: () => [{ queue: bull, settings: target.model.queue }],
    onError: (error) => bench.errors.push(error),
  });
  await housekeeping.runOnce();
  await housekeeping.close();
  return bull;
}

/** Makes everything about a prediction older; what is seconds old is never tidied away. */
async function age(model: string, ids: readonly string[], byMs = HOUR_MS + 60_000): Promise<void> {
  for (const id of ids) {
    for (const set of ['completed', 'failed']) {
      const key = `quern:{${model}}:${model}:${set}`;
      const score = await bench.redis.zscore(key, id);
      if (score !== null) await bench.redis.zadd(key, 'XX', Number(score) - byMs, id);
    }
    await bench.redis.zincrby(`quern:{${model}}.predictions`, -byMs, id);
    await ageReservation(id, byMs);
  }
}

async function ageReservation(id: string, byMs: number): Promise<void> {
  const key = `quern:id:${id}`;
  const text = await bench.redis.get(key);
  if (text === null) return;
  const reservation = JSON.parse(text) as { createdAtMs: number };
  reservation.createdAtMs -= byMs;
  await bench.redis.set(key, JSON.stringify(reservation), 'KEEPTTL');
}

describe('retention', () => {
  test('keeps the newest of each outcome by count', async () => {
    const target = await bench.serve(queue, 'counted', { attempts: 1, retention: keep(5, 3) });
    bench.consume('counted', async ({ id }) => {
      if (id.startsWith('bad')) throw new Error('as asked');
      return resultWith();
    });
    for (let i = 0; i < 12; i++) {
      await queue.submit(submissionTo(target, { id: `good-${i}` }), LONG);
      await queue.submit(submissionTo(target, { id: `bad-${i}` }), LONG);
    }
    const { predictions } = await queue.list({ model: 'counted', limit: 100 });
    expect(predictions.map(({ id }) => id).sort()).toEqual(
      ['good-7', 'good-8', 'good-9', 'good-10', 'good-11', 'bad-9', 'bad-10', 'bad-11'].sort(),
    );
  });

  test('ends by age also in a queue in which nothing ends any more, with all that is left of it', async () => {
    const target = await bench.serve(queue, 'aged', { attempts: 1 });
    bench.consume('aged', async ({ id }) => {
      if (id.startsWith('bad')) throw new Error('as asked');
      return resultWith();
    });
    const tensor = inputOf(1000);
    for (const id of ['good-old', 'good-new', 'bad-old', 'bad-new'])
      await queue.submit(submissionTo(target, { id, tensor }), LONG);
    await age('aged', ['good-old', 'bad-old']);
    await tidy('aged');
    const { predictions } = await queue.list({ model: 'aged', limit: 100 });
    expect(predictions.map(({ id }) => id)).toEqual(['bad-new', 'good-new']);
    expect(await queue.get('good-old')).toBeUndefined();
    const left = (await bench.redis.keys('*')).filter((key) => key.includes('-old'));
    expect(left).toEqual([]);
    // The id is free again, for any content.
    expect((await queue.submit(submissionTo(target, { id: 'good-old' }))).created).toBe(true);
  });

  test('leaves a prediction alone that is being made under the id of one that is gone', async () => {
    const target = await bench.serve(queue, 'reused');
    const submission = { ...submissionTo(target, { tensor: inputOf(1000) }), id: 'reused-1' };
    await queue.submit(submission);
    await age('reused', ['reused-1']);
    await bench.redis.del('quern:{reused}:reused:reused-1');
    await bench.redis.zrem('quern:{reused}:reused:prioritized', 'reused-1');
    // What a producer does up to its job, which is added after the housekeeping.
    const { isOurs, createdAtMs } = await reserveId(bench.redis, submission);
    const now = Date.now();
    await bench.redis.set('quern:{reused}.input:reused-1', 'the new input');
    await tidy('reused');
    expect(isOurs).toBe(true);
    expect(Math.abs(now - createdAtMs)).toBeLessThan(HOUR_MS);
    expect(await bench.redis.get('quern:{reused}.input:reused-1')).toBe('the new input');
    expect(await bench.redis.exists('quern:id:reused-1')).toBe(1);
    const { prediction } = await queue.submit(submission);
    bench.consume('reused');
    expect((await queue.wait(prediction.id, LONG))?.status).toBe('succeeded');
    // It has its own place on the list, not that of the one that is gone.
    const { predictions } = await queue.list({ model: 'reused', limit: 10 });
    expect(predictions.map(({ id }) => id)).toEqual(['reused-1']);
    const place = await bench.redis.zscore('quern:{reused}.predictions', 'reused-1');
    expect(Number(place)).toBe(createdAtMs);
  });

  test('counts canceled predictions, which no worker has ended', async () => {
    const target = await bench.serve(queue, 'canceled', { retention: keep(5, 4) });
    for (let i = 0; i < 10; i++) {
      await queue.submit(submissionTo(target, { id: `c-${i}` }));
      await queue.cancel(`c-${i}`);
    }
    const bull = await tidy('canceled');
    expect(await bull.getFailedCount()).toBe(4);
    const { predictions } = await queue.list({ model: 'canceled', limit: 100 });
    expect(predictions.map(({ id }) => id)).toEqual(['c-9', 'c-8', 'c-7', 'c-6']);
  });

  test('finds what is gone behind 1,500 older predictions that are kept', async () => {
    const target = await bench.serve(queue, 'behind');
    await queue.submit(submissionTo(target, { id: 'gone' }));
    await queue.submit(submissionTo(target, { id: 'kept-7' }));
    await age('behind', ['gone']);
    await bench.redis.del('quern:{behind}:behind:gone');
    // The others need no more than a job and a place.
    const kept = bench.redis.multi();
    for (let i = 0; i < 1500; i++) {
      kept.hset(`quern:{behind}:behind:kept-${i}`, 'name', 'kept');
      kept.zadd('quern:{behind}.predictions', i, `kept-${i}`);
    }
    await kept.exec();
    await tidy('behind');
    const index = 'quern:{behind}.predictions';
    expect(await bench.redis.zscore(index, 'gone')).toBeNull();
    expect(await bench.redis.zcard(index)).toBe(1500);
    expect(await bench.redis.exists('quern:id:gone')).toBe(0);
    expect(await bench.redis.exists('quern:id:kept-7')).toBe(1);
  });

  test('leaves alone what waits or runs, however old it is', async () => {
    const target = await bench.serve(queue, 'patient', { retention: keep(3, 3) });
    const ids = ['p-1', 'p-2', 'p-3'];
    const tensor = inputOf(1000);
    for (const id of ids) await queue.submit(submissionTo(target, { id, tensor }));
    await age('patient', ids, 1000 * HOUR_MS);
    await tidy('patient');
    bench.consume('patient');
    for (const id of ids) expect((await queue.wait(id, LONG))?.status).toBe('succeeded');
  });

  test('does nothing, and writes no events, where there is nothing to do', async () => {
    await bench.serve(queue, 'tidy');
    const bull = await tidy('tidy');
    expect(await bench.redis.xlen(bull.toKey('events'))).toBe(0);
  });
});

describe('large results', () => {
  test('are kept by count, and what is trimmed is said to be removed', async () => {
    const target = await bench.serve(queue, 'results', { retention: keep(100, 100) });
    const store = new PayloadStore(bench.redis);
    bench.consume('results', async ({ resultKey, input }) => {
      const bytes = 'inline' in input ? input.inline : Buffer.of();
      await store.writeResults('results', [{ key: resultKey, bytes }], HOUR_MS);
      return resultWith({ outputKey: resultKey });
    });
    for (let i = 0; i < 6; i++) {
      const { prediction } = await queue.submit(submissionTo(target, { id: `r-${i}` }), LONG);
      expect(prediction.outputs).toEqual([inputOf(1)]);
    }
    await store.trimResults('results', 2);
    const removed = await Promise.all(
      Array.from({ length: 6 }, async (_, i) => (await queue.get(`r-${i}`))?.dataRemoved),
    );
    expect(removed).toEqual([true, true, true, true, false, false]);
    await store.trimResults('results', 2);
    expect((await queue.get('r-5'))?.outputs).toEqual([inputOf(1)]);
  });

  test('end by themselves', async () => {
    const store = new PayloadStore(bench.redis);
    await store.writeResults('ttl', [{ key: 'quern:{ttl}.x', bytes: Buffer.from('x') }], 60_000);
    const ttlMs = await bench.redis.pttl('quern:{ttl}.x');
    expect(ttlMs).toBeGreaterThan(50_000);
    expect(ttlMs).toBeLessThanOrEqual(60_000);
  });
});
