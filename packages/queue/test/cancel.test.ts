import { QuernError } from '@quern/contract';
import { eventually, TestRedis } from '@quern/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  CancelListener,
  type Consumer,
  connectRedis,
  openBullQueue,
  type PredictionQueue,
} from '../src/index.ts';
import { echo, inputOf, resultWith, submissionTo, Workbench } from './workbench.ts';

let server: TestRedis;
let bench: Workbench;
let queue: PredictionQueue;
let cancels: CancelListener;
beforeAll(async () => {
  server = await TestRedis.start();
  bench = await Workbench.open(server.url);
  queue = await bench.producer();
  const subscriber = await connectRedis({
    url: server.url,
    role: 'subscriber',
    name: 'test-sub',
    waitMs: 10_000,
    onError: () => {},
  });
  cancels = new CancelListener(subscriber);
  bench.defer(() => {
    cancels.close();
    subscriber.disconnect();
  });
});
afterAll(async () => {
  await bench.close();
  await server.stop();
});

const LONG = { timeoutMs: 20_000 };

async function listening(model: string, consumer: Consumer): Promise<Consumer> {
  await cancels.listen(model, (id) => consumer.cancel(id));
  return consumer;
}

describe('canceling', () => {
  test('a waiting prediction ends it, and whoever waits hears at once', async () => {
    const target = await bench.serve(queue, 'waiting');
    const submitted = queue.submit(submissionTo(target, { id: 'w-1' }), { timeoutMs: 600_000 });
    await eventually(async () => (await queue.depth('waiting')).waiting === 1);
    expect(await queue.cancel('w-1')).toMatchObject({
      status: 'canceled',
      error: { code: 'CANCELED', retryable: false },
    });
    expect((await submitted).prediction.status).toBe('canceled');
    expect((await queue.depth('waiting')).waiting).toBe(0);
    const bull = openBullQueue(bench.redis, 'waiting');
    expect(await (await bull.getJob('w-1'))?.getState()).toBe('failed');
    await bull.close();
  });

  test('a prediction between two attempts ends it', async () => {
    const target = await bench.serve(queue, 'between', { attempts: 50 });
    let runs = 0;
    bench.consume('between', async () => {
      runs += 1;
      throw new QuernError('RUNNER_CRASHED', 'Again.');
    });
    await queue.submit(submissionTo(target, { id: 'b-1' }));
    await eventually(async () => runs >= 2 && (await queue.depth('between')).waiting === 1);
    expect((await queue.cancel('b-1'))?.status).toBe('canceled');
    expect((await queue.get('b-1'))?.error?.code).toBe('CANCELED');
  });

  test('a running prediction ends it although its batch runs on, and the result is discarded', async () => {
    const target = await bench.serve(queue, 'running');
    let isCanceled = false;
    let finish = (): void => {};
    await listening(
      'running',
      bench.consume('running', (prediction) => {
        prediction.cancellation.onCancel(() => {
          isCanceled = true;
        });
        return new Promise((resolve) => {
          finish = () => resolve(resultWith());
        });
      }),
    );
    await queue.submit(submissionTo(target, { id: 'r-1' }));
    await eventually(async () => (await queue.get('r-1'))?.status === 'processing');
    expect((await queue.cancel('r-1'))?.status).toBe('canceled');
    expect(isCanceled).toBe(true);
    finish();
    // The next one is run by the same consumer after the late result came.
    await queue.submit(submissionTo(target, { id: 'r-2' }));
    await eventually(async () => {
      finish();
      return (await queue.get('r-2'))?.status === 'succeeded';
    });
    expect((await queue.get('r-1'))?.status).toBe('canceled');
  });

  test('an ended prediction leaves it as it is', async () => {
    const target = await bench.serve(queue, 'ended');
    bench.consume('ended');
    const { prediction } = await queue.submit(submissionTo(target), LONG);
    expect(await queue.cancel(prediction.id)).toEqual(prediction);
    expect(await queue.get(prediction.id)).toEqual(prediction);
  });

  test('twice is once', async () => {
    const target = await bench.serve(queue, 'twice');
    await queue.submit(submissionTo(target, { id: 't-1' }));
    const both = await Promise.all([queue.cancel('t-1'), queue.cancel('t-1')]);
    expect(both.map((prediction) => prediction?.status)).toEqual(['canceled', 'canceled']);
    const bull = openBullQueue(bench.redis, 'twice');
    expect(await bull.getFailedCount()).toBe(1);
    await bull.close();
  });

  test('against a worker that fetches: each of 300 predictions ends exactly once', async () => {
    const target = await bench.serve(queue, 'race');
    const other = await bench.producer();
    const consumer = await listening(
      'race',
      bench.consume('race', async (prediction) => {
        await new Promise((resolve) => setTimeout(resolve, prediction.data.rows));
        return echo(bench.redis, prediction);
      }),
    );
    const ids = Array.from({ length: 300 }, (_, i) => `race-${i}`);
    const answers = await Promise.all(
      ids.map(async (id, i) => {
        const submitted = queue.submit(
          submissionTo(target, { id, tensor: inputOf(1 + (i % 20), i) }),
          LONG,
        );
        // Every third when it runs, or has run; the others while they wait, or are fetched just then.
        const early = i % 3 === 0 ? 'starting' : undefined;
        await eventually(async () => ![undefined, early].includes((await queue.get(id))?.status));
        const canceled = await (i % 2 === 0 ? queue : other).cancel(id);
        return { waited: (await submitted).prediction, canceled, stored: await queue.get(id) };
      }),
    );
    for (const [i, { waited, canceled, stored }] of answers.entries()) {
      expect(canceled).toEqual(stored);
      expect(waited).toEqual(stored);
      if (stored?.status === 'succeeded')
        expect(stored.outputs).toEqual([inputOf(1 + (i % 20), i)]);
      else expect(stored?.status).toBe('canceled');
    }
    const bull = openBullQueue(bench.redis, 'race');
    const counts = await bull.getJobCounts();
    expect((counts['completed'] ?? 0) + (counts['failed'] ?? 0)).toBe(300);
    expect(counts['completed']).toBeGreaterThan(0);
    expect(counts['failed']).toBeGreaterThan(100);
    expect(counts).toMatchObject({ active: 0, waiting: 0, prioritized: 0, delayed: 0 });
    await bull.close();
    await consumer.close();
  });
});
