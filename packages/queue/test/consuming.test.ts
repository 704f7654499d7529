import { QuernError } from '@quern/contract';
import { eventually, TestRedis } from '@quern/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  openBullQueue,
  type PredictionQueue,
  type QueuedPrediction,
  ReturnToQueue,
} from '../src/index.ts';
import { echo, inputOf, resultWith, submissionTo, Workbench } from './workbench.ts';

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

describe('order', () => {
  test('is by priority, then by arrival', async () => {
    const target = await bench.serve(queue, 'order');
    for (const id of ['low-1', 'normal-1', 'high-1', 'low-2', 'normal-2', 'high-2']) {
      const priority = id.startsWith('low') ? 'low' : id.startsWith('high') ? 'high' : 'normal';
      await queue.submit(submissionTo(target, { id, priority }));
    }
    const ran: string[] = [];
    bench.consume(
      'order',
      async ({ id }) => {
        ran.push(id);
        return resultWith();
      },
      { concurrency: 1 },
    );
    await queue.wait('low-2', LONG);
    expect(ran).toEqual(['high-1', 'high-2', 'normal-1', 'normal-2', 'low-1', 'low-2']);
  });

  test('is kept by what comes back, which runs first of its class', async () => {
    const target = await bench.serve(queue, 'order-back');
    const ran: string[] = [];
    let returns = 0;
    const first = bench.consume(
      'order-back',
      async ({ id }) => {
        returns += 1;
        // It must not be fetched again by the one that returned it.
        if (returns === 2) await first.pause();
        throw new ReturnToQueue(`not now: ${id}`);
      },
      { concurrency: 2 },
    );
    await first.pause();
    for (const id of ['n-1', 'n-2', 'n-3', 'h-4'])
      await queue.submit(submissionTo(target, { id, priority: id[0] === 'h' ? 'high' : 'normal' }));
    bench.consume(
      'order-back',
      async ({ id }) => {
        ran.push(id);
        return resultWith();
      },
      { concurrency: 1 },
    );
    await queue.wait('n-3', LONG);
    expect(ran).toEqual(['h-4', 'n-1', 'n-2', 'n-3']);
  });
});

test('a paused consumer fetches nothing, and goes on when it is started again', async () => {
  const target = await bench.serve(queue, 'paused');
  const consumer = bench.consume('paused');
  expect((await queue.submit(submissionTo(target), LONG)).prediction.status).toBe('succeeded');
  await consumer.pause();
  // What was being fetched when it was paused may still be taken: then this waits for another.
  const waiting = await eventually(async () => {
    const { prediction } = await queue.submit(submissionTo(target), { timeoutMs: 300 });
    if (prediction.status !== 'starting') throw new Error(`it is ${prediction.status}`);
    return prediction;
  });
  consumer.start();
  expect((await queue.wait(waiting.id, LONG))?.status).toBe('succeeded');
});

describe('returning to the queue', () => {
  test('wakes an idle consumer at once and costs no attempt', async () => {
    const target = await bench.serve(queue, 'returned', { attempts: 1 });
    let isGivingBack = false;
    const leaving = bench.consume('returned', async () => {
      isGivingBack = true;
      await leaving.pause();
      throw new ReturnToQueue('stopping');
    });
    const submitted = queue.submit(submissionTo(target), LONG);
    await eventually(() => isGivingBack);
    // Idle: it has seen an empty queue and blocks.
    const seen: QueuedPrediction[] = [];
    bench.consume('returned', async (prediction) => {
      seen.push(prediction);
      return echo(bench.redis, prediction);
    });
    const { prediction } = await submitted;
    expect(prediction).toMatchObject({ status: 'succeeded', metrics: { attempts: 2 } });
    expect(seen).toMatchObject([{ attempt: 2, failures: 0 }]);
  });

  test('with a delay waits so long, and shows as starting meanwhile', async () => {
    const target = await bench.serve(queue, 'delayed', { attempts: 1 });
    const startsAtMs: number[] = [];
    bench.consume('delayed', async (prediction) => {
      startsAtMs.push(Date.now());
      if (startsAtMs.length === 1) throw new ReturnToQueue('elsewhere', 300);
      return echo(bench.redis, prediction);
    });
    const { prediction } = await queue.submit(submissionTo(target));
    // It waits before its first attempt too.
    await eventually(() => startsAtMs.length === 1);
    await eventually(async () => (await queue.depth('delayed')).waiting === 1);
    expect((await queue.get(prediction.id))?.status).toBe('starting');
    expect((await queue.wait(prediction.id, LONG))?.status).toBe('succeeded');
    const [first = 0, second = 0] = startsAtMs;
    expect(second - first).toBeGreaterThanOrEqual(290);
  });
});

describe('a handler that fails', () => {
  test('with a fault that can pass is tried again, as often as the model allows', async () => {
    const target = await bench.serve(queue, 'passing', { attempts: 3 });
    const attempts: number[] = [];
    bench.consume('passing', async ({ attempt }) => {
      attempts.push(attempt);
      throw new QuernError('RUNNER_CRASHED', 'The runner ended with SIGSEGV.');
    });
    const { prediction } = await queue.submit(submissionTo(target), LONG);
    expect(prediction).toMatchObject({
      status: 'failed',
      error: { code: 'RUNNER_CRASHED', message: 'The runner ended with SIGSEGV.', retryable: true },
      metrics: { attempts: 3 },
    });
    expect(attempts).toEqual([1, 2, 3]);
    expect(await queue.get(prediction.id)).toEqual(prediction);
  });

  test('once succeeds in the end, and nothing is left of the failure', async () => {
    const target = await bench.serve(queue, 'second-try');
    bench.consume('second-try', async (prediction) => {
      if (prediction.failures === 0) throw new QuernError('OUT_OF_MEMORY', 'Too large a batch.');
      return echo(bench.redis, prediction);
    });
    const { prediction } = await queue.submit(submissionTo(target), LONG);
    expect(prediction).toMatchObject({ status: 'succeeded', metrics: { attempts: 2 } });
    expect(prediction.error).toBeUndefined();
    expect(await queue.get(prediction.id)).toEqual(prediction);
  });

  test.each([
    [new QuernError('INFERENCE_FAILED', 'Shapes do not fit.'), 'failed', 'INFERENCE_FAILED'],
    [new QuernError('DEADLINE_EXCEEDED', 'Too late.'), 'expired', 'DEADLINE_EXCEEDED'],
    [new QuernError('RUN_TIMEOUT', 'Hung.', { retryable: false }), 'failed', 'RUN_TIMEOUT'],
    [new TypeError('x is not a function'), 'failed', 'INTERNAL'],
    ['a string', 'failed', 'INTERNAL'],
  ] as const)('for good (%s) is not tried again', async (error, status, code) => {
    const name = `final-${code}-${String(error).length}`;
    const target = await bench.serve(queue, name, { attempts: 5 });
    let runs = 0;
    bench.consume(name, async () => {
      runs += 1;
      throw error;
    });
    const { prediction } = await queue.submit(submissionTo(target), LONG);
    expect(prediction).toMatchObject({ status, error: { code }, metrics: { attempts: 1 } });
    expect(await queue.get(prediction.id)).toEqual(prediction);
    expect(runs).toBe(1);
  });

  test('can be tried again by an operator, who then sees it succeed', async () => {
    const target = await bench.serve(queue, 'by-hand');
    let isFixed = false;
    bench.consume('by-hand', async (prediction) => {
      if (!isFixed) throw new QuernError('INFERENCE_FAILED', 'Not yet.');
      return echo(bench.redis, prediction);
    });
    const tensor = inputOf(1000);
    const { prediction } = await queue.submit(submissionTo(target, { tensor }), LONG);
    expect(prediction.status).toBe('failed');
    isFixed = true;
    const bull = openBullQueue(bench.redis, 'by-hand');
    await (await bull.getJob(prediction.id))?.retry('failed');
    await bull.close();
    const again = await queue.wait(prediction.id, LONG);
    expect(again).toMatchObject({ status: 'succeeded', metrics: { attempts: 2 } });
    expect(again?.outputs).toEqual([tensor]);
  });
});

describe('a job that Quern did not make', () => {
  test.each([
    ['nothing', {}],
    ['a text', 'hello'],
    ['null', null],
    ['half of it', { model: 'foreign', version: 1 }],
    ['a version that is none', { model: 'foreign', version: 'x', rows: -1 }],
  ])('%s fails with a clear reason and hurts nobody', async (_name, data) => {
    await bench.serve(queue, 'foreign');
    const target = await queue.registry.resolve('foreign');
    const consumer = bench.consume('foreign');
    const bull = openBullQueue(bench.redis, 'foreign');
    const job = await bull.add('by hand', data, { attempts: 3 });
    await eventually(async () => (await job.getState()) === 'failed');
    const failed = await bull.getJob(job.id ?? '');
    expect(failed?.failedReason).toMatch(/^INVALID_REQUEST: The job was not made by Quern/);
    const { prediction } = await queue.submit(submissionTo(target), LONG);
    expect(prediction.status).toBe('succeeded');
    expect((await queue.list({ model: 'foreign', limit: 100 })).predictions).not.toContainEqual(
      expect.objectContaining({ id: job.id }),
    );
    await consumer.close();
    await bull.close();
  });

  test('one of another model’s queue fails, and its input is not touched', async () => {
    const target = await bench.serve(queue, 'home');
    await bench.serve(queue, 'abroad');
    const { prediction } = await queue.submit(submissionTo(target, { tensor: inputOf(1000) }));
    const home = openBullQueue(bench.redis, 'home');
    const abroad = openBullQueue(bench.redis, 'abroad');
    const original = await home.getJob(prediction.id);
    const copy = await abroad.add('copied', original?.data, { jobId: prediction.id });
    bench.consume('abroad');
    await eventually(async () => (await copy.getState()) === 'failed');
    const failed = await abroad.getJob(prediction.id);
    expect(failed?.failedReason).toContain('for model home, but lies in the queue of abroad');
    bench.consume('home');
    expect((await queue.wait(prediction.id, LONG))?.status).toBe('succeeded');
    await home.close();
    await abroad.close();
  });
});

describe('depth', () => {
  test('counts what waits and runs, and tells the age of the oldest', async () => {
    const target = await bench.serve(queue, 'depth');
    expect(await queue.depth('depth')).toEqual({
      waiting: 0,
      active: 0,
      oldestWaitingMs: null,
    });
    const { prediction } = await queue.submit(submissionTo(target, { priority: 'low' }));
    await bench.redis.hset(
      `quern:{depth}:depth:${prediction.id}`,
      'timestamp',
      prediction.createdAtMs - 60_000,
    );
    await queue.submit(submissionTo(target, { priority: 'high' }));
    const depth = await queue.depth('depth');
    expect(depth).toMatchObject({ waiting: 2, active: 0 });
    expect(depth.oldestWaitingMs).toBeGreaterThanOrEqual(60_000);
    let finish = (): void => {};
    const finished = new Promise<void>((resolve) => {
      finish = resolve;
    });
    bench.consume('depth', async () => {
      await finished;
      return resultWith();
    });
    await eventually(async () => {
      expect(await queue.depth('depth')).toEqual({ waiting: 0, active: 2, oldestWaitingMs: null });
    });
    finish();
    await queue.wait(prediction.id, LONG);
  });
});
