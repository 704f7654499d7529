import { eventually, TestRedis } from '@quern/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PredictionQueue } from '../src/index.ts';
import { submissionTo, Workbench } from './workbench.ts';

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

type Outcome = 'accepted' | { code: string; details: Record<string, unknown> };

async function submitMany(from: readonly PredictionQueue[], model: string, count: number) {
  const target = await queue.registry.resolve(model);
  const outcomes = await Promise.all(
    Array.from({ length: count }, async (_, i): Promise<Outcome> => {
      const producer = from[i % from.length] ?? queue;
      return producer.submit(submissionTo(target)).then(
        () => 'accepted',
        (error: Outcome) => error,
      );
    }),
  );
  return { accepted: outcomes.filter((outcome) => outcome === 'accepted').length, outcomes };
}

describe('a full queue', () => {
  test('takes exactly its limit, one by one', async () => {
    const target = await bench.serve(queue, 'exact', { maxSize: 12 });
    for (let i = 0; i < 12; i++) await queue.submit(submissionTo(target));
    await expect(queue.submit(submissionTo(target))).rejects.toMatchObject({
      code: 'QUEUE_FULL',
      httpStatus: 429,
      message: expect.stringContaining('holds 12 predictions, its limit is 12'),
      details: { retryAfterSeconds: expect.any(Number) },
    });
    expect((await queue.depth('exact')).waiting).toBe(12);
  });

  test('is not overshot by one process, however many submit at once', async () => {
    await bench.serve(queue, 'at-once', { maxSize: 50 });
    const { accepted, outcomes } = await submitMany([queue], 'at-once', 400);
    expect((await queue.depth('at-once')).waiting).toBe(accepted);
    expect(accepted).toBeLessThanOrEqual(50);
    expect(accepted).toBeGreaterThanOrEqual(45);
    const refused = outcomes.filter((outcome) => outcome !== 'accepted');
    expect(new Set(refused.map(({ code }) => code))).toEqual(new Set(['QUEUE_FULL']));
  });

  test('is overshot by three processes by no more than they had on their way', async () => {
    await bench.serve(queue, 'together', { maxSize: 40 });
    const producers = [queue, await bench.producer(), await bench.producer()];
    const { accepted } = await submitMany(producers, 'together', 600);
    expect(accepted).toBeLessThanOrEqual(3 * 40);
    expect((await submitMany(producers, 'together', 60)).accepted).toBe(0);
  });

  test('takes predictions again as it drains', async () => {
    const target = await bench.serve(queue, 'draining', { maxSize: 3 });
    expect((await submitMany([queue], 'draining', 10)).accepted).toBe(3);
    bench.consume('draining');
    const { prediction } = await eventually(() =>
      queue.submit(submissionTo(target), { timeoutMs: 20_000 }),
    );
    expect(prediction.status).toBe('succeeded');
  });

  test('of one model is no other model’s business', async () => {
    await bench.serve(queue, 'full', { maxSize: 1 });
    const other = await bench.serve(queue, 'roomy');
    await submitMany([queue], 'full', 2);
    await expect(queue.submit(submissionTo(other))).resolves.toMatchObject({ created: true });
  });
});
