import { QuernError } from '@quern/contract';
import { eventually, TestRedis } from '@quern/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BullQueues } from '../src/bull-queues.ts';
import { DeadlineListener } from '../src/deadline-list.ts';
import { sweepExpired } from '../src/expiry-sweep.ts';
import { type PredictionQueue, ReturnToQueue } from '../src/index.ts';
import { deadlinesKey } from '../src/keys.ts';
import { WebhookOutbox } from '../src/webhooks/webhook-outbox.ts';
import { resultWith, submissionTo, Workbench } from './workbench.ts';

let server: TestRedis;
let bench: Workbench;
let queue: PredictionQueue;
beforeAll(async () => {
  server = await TestRedis.start({ appendfsync: 'always' });
  bench = await Workbench.open(server.url);
  queue = await bench.producer();
});
afterAll(async () => {
  await bench.close();
  await server.stop();
});

const LONG = { timeoutMs: 60_000 };
const EXPIRED = { status: 'expired', error: { code: 'DEADLINE_EXCEEDED' } };

async function deadlinesLeft(model: string): Promise<number> {
  return bench.redis.zcard(deadlinesKey(model));
}

describe('with no worker running', () => {
  test('a prediction ends at its deadline, and whoever waits hears at once', async () => {
    const target = await bench.serve(queue, 'alone');
    const patient = await queue.submit(submissionTo(target));
    const { prediction } = await queue.submit(submissionTo(target, { timeoutMs: 50 }), LONG);
    expect(prediction).toMatchObject({ ...EXPIRED, metrics: { attempts: 0 } });
    expect(prediction.completedAtMs).toBeGreaterThanOrEqual(prediction.deadlineAtMs ?? Infinity);
    expect(await queue.get(prediction.id)).toMatchObject(EXPIRED);
    expect((await queue.get(patient.prediction.id))?.status).toBe('starting');
    expect((await queue.depth('alone')).waiting).toBe(1);
    expect(await deadlinesLeft('alone')).toBe(0);
  });

  test('each ends at its own deadline, in whatever order they came', async () => {
    const target = await bench.serve(queue, 'order');
    const ended: number[] = [];
    const waits = [300, 20, 160, 90].map(async (timeoutMs) => {
      await queue.submit(submissionTo(target, { timeoutMs }), LONG);
      ended.push(timeoutMs);
    });
    await Promise.all(waits);
    expect(ended).toEqual([20, 90, 160, 300]);
  });

  test('the model has a timeout of its own', async () => {
    const target = await bench.serve(queue, 'own', { timeoutMs: 30 });
    const { prediction } = await queue.submit(submissionTo(target), LONG);
    expect(prediction).toMatchObject(EXPIRED);
  });

  test('one process ends what another accepted that is gone, once', async () => {
    const target = await bench.serve(queue, 'orphan');
    const dying = await bench.producer();
    const others = [await bench.producer(), await bench.producer()];
    const ids: string[] = [];
    for (let i = 0; i < 20; i++) {
      const { prediction } = await dying.submit(submissionTo(target, { timeoutMs: 300 }));
      ids.push(prediction.id);
    }
    await dying.close();
    const waits = ids.map((id, i) => (others[i % 2] ?? queue).wait(id, LONG));
    for (const prediction of await Promise.all(waits)) expect(prediction).toMatchObject(EXPIRED);
    const events = await bench.redis.xrange('quern:{orphan}:orphan:events', '-', '+');
    const ends = events.filter(([, fields]) => fields.includes('failed'));
    expect(ends).toHaveLength(ids.length);
  });

  test('other processes are told of a deadline that comes before all others of its model', async () => {
    const target = await bench.serve(queue, 'told');
    const subscriber = bench.redis.duplicate();
    bench.defer(async () => subscriber.disconnect());
    const heard: number[] = [];
    const listener = new DeadlineListener(subscriber, (model, deadlineAtMs) => {
      if (model === 'told') heard.push(deadlineAtMs);
    });
    await listener.start();
    const deadlines: number[] = [];
    for (const timeoutMs of [200_000, 300_000, 100_000]) {
      const { prediction } = await queue.submit(submissionTo(target, { timeoutMs }));
      deadlines.push(prediction.deadlineAtMs ?? 0);
    }
    await eventually(() => heard.length > 1);
    listener.close();
    expect(heard).toEqual([deadlines[0], deadlines[2]]);
  });

  test('a deadline outlives a restart of Redis', async () => {
    const target = await bench.serve(queue, 'restart');
    const { prediction } = await queue.submit(submissionTo(target, { timeoutMs: 1 }));
    const later = await queue.submit(submissionTo(target, { timeoutMs: 700 }));
    await server.kill();
    await server.start();
    await eventually(() => queue.ping().then(() => true));
    for (const { id } of [prediction, later.prediction]) {
      await eventually(async () => expect(await queue.get(id)).toMatchObject(EXPIRED));
    }
  });

  test('thousands that expire at once all end, a bounded number at a time', async () => {
    const target = await bench.serve(queue, 'burst', { maxSize: 100_000 });
    const submissions = Array.from({ length: 3000 }, () =>
      queue.submit(submissionTo(target, { timeoutMs: 600_000 })),
    );
    await Promise.all(submissions);
    const ids = await bench.redis.zrange(deadlinesKey('burst'), '0', '-1');
    await Promise.all(ids.map((id) => bench.redis.zadd(deadlinesKey('burst'), 1, id)));
    const queues = new BullQueues(bench.redis, () => {});
    bench.defer(() => queues.close());
    const outbox = new WebhookOutbox(bench.redis, queues);
    const step = await sweepExpired(bench.redis, 'burst', outbox);
    expect(step.expired).toBeLessThanOrEqual(200);
    await eventually(async () => (await queue.depth('burst')).waiting === 0);
    expect(await bench.redis.zcard('quern:{burst}:burst:failed')).toBe(3000);
    expect(await deadlinesLeft('burst')).toBe(0);
  });
});

describe('what a worker has to do with it', () => {
  test('between two attempts a prediction waits, and expires', async () => {
    const target = await bench.serve(queue, 'between', { attempts: 100 });
    let starts = 0;
    bench.consume('between', async () => {
      starts += 1;
      throw new QuernError('RUNNER_CRASHED', 'Again.');
    });
    const { prediction } = await queue.submit(submissionTo(target, { timeoutMs: 600_000 }));
    await eventually(() => starts > 1);
    await bench.redis.zadd(deadlinesKey('between'), 1, prediction.id);
    const ended = await queue.wait(prediction.id, LONG);
    expect(ended).toMatchObject(EXPIRED);
    expect(ended?.metrics.attempts).toBeGreaterThan(1);
  });

  test('given back after its deadline, a prediction expires', async () => {
    const target = await bench.serve(queue, 'back');
    const consumer = bench.consume('back', async (held) => {
      const { deadlineAtMs = 0 } = held.data;
      await eventually(() => Date.now() > deadlineAtMs);
      throw new ReturnToQueue('not here', 60_000);
    });
    const { prediction } = await queue.submit(submissionTo(target, { timeoutMs: 100 }), LONG);
    expect(prediction).toMatchObject(EXPIRED);
    await consumer.close();
  });

  test('what runs at its deadline succeeds', async () => {
    const target = await bench.serve(queue, 'runs');
    bench.consume('runs', async ({ data: { deadlineAtMs = 0 } }) => {
      await eventually(() => Date.now() > deadlineAtMs + 100);
      return resultWith();
    });
    const { prediction } = await queue.submit(submissionTo(target, { timeoutMs: 1500 }), LONG);
    expect(prediction.status).toBe('succeeded');
    await eventually(async () => (await deadlinesLeft('runs')) === 0);
  });

  test('nothing remains of the deadlines of what ended in time', async () => {
    const target = await bench.serve(queue, 'in-time');
    const canceled = await queue.submit(submissionTo(target, { timeoutMs: 600_000 }));
    expect(await deadlinesLeft('in-time')).toBe(1);
    await queue.cancel(canceled.prediction.id);
    expect(await deadlinesLeft('in-time')).toBe(0);
    bench.consume('in-time');
    await queue.submit(submissionTo(target, { timeoutMs: 600_000 }), LONG);
    await eventually(async () => (await deadlinesLeft('in-time')) === 0);
  });
});
