import { join } from 'node:path';
import { eventually, TestProcess, TestRedis } from '@quern/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { openBullQueue, type PredictionQueue } from '../src/index.ts';
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

const children: TestProcess[] = [];
afterEach(async () => {
  await Promise.all(children.splice(0).map((child) => child.stop('SIGKILL')));
});

function startChild(script: string, ...args: string[]): TestProcess {
  const child = new TestProcess({
    name: script,
    command: process.execPath,
    args: [
      '--conditions=@quern/source',
      '--import',
      'tsx',
      join(import.meta.dirname, 'processes', script),
      server.url,
      ...args,
    ],
  });
  children.push(child);
  return child;
}

const LONG = { timeoutMs: 20_000 };
const SHORT_LOCKS = { lockDurationMs: 400, stalledIntervalMs: 200 };

describe('a worker that is killed with -9', () => {
  test('loses nothing: each prediction ends once, with its own answer, on another worker', async () => {
    const target = await bench.serve(queue, 'killed', { attempts: 1 });
    const child = startChild('consume-until-told.ts', 'killed', 'forever');
    const submitted = Array.from({ length: 40 }, (_, i) =>
      queue.submit(submissionTo(target, { id: `k-${i}`, tensor: inputOf(1, i) }), LONG),
    );
    await eventually(() => child.lines.filter((line) => line.startsWith('holds')).length === 16);
    await child.stop('SIGKILL');
    const runs = new Map<string, number>();
    bench.consume(
      'killed',
      (prediction) => {
        runs.set(prediction.id, (runs.get(prediction.id) ?? 0) + 1);
        return echo(bench.redis, prediction);
      },
      SHORT_LOCKS,
    );
    for (const [i, { prediction }] of (await Promise.all(submitted)).entries()) {
      expect(prediction).toMatchObject({ id: `k-${i}`, status: 'succeeded' });
      expect(prediction.outputs).toEqual([inputOf(1, i)]);
    }
    expect([...runs.values()]).toEqual(Array(40).fill(1));
    const bull = openBullQueue(bench.redis, 'killed');
    expect(await bull.getJobCounts()).toMatchObject({ completed: 40, failed: 0, active: 0 });
    await bull.close();
  }, 30_000);

  test('by its predictions again and again: they fail in the end, and say why', async () => {
    const target = await bench.serve(queue, 'deadly');
    const { prediction } = await queue.submit(submissionTo(target, { id: 'deadly-1' }));
    // As if 20 workers had died of it before.
    await bench.redis.hset('quern:{deadly}:deadly:deadly-1', 'stc', 20);
    const child = startChild('consume-until-told.ts', 'deadly', 'forever');
    await child.line(/holds deadly-1/);
    await child.stop('SIGKILL');
    bench.consume('deadly', undefined, SHORT_LOCKS);
    expect(await queue.wait(prediction.id, LONG)).toMatchObject({
      status: 'failed',
      error: { code: 'WORKER_LOST', retryable: true },
    });
  }, 30_000);
});

test('a late attempt that lost its lock cannot make its result visible', async () => {
  const target = await bench.serve(queue, 'late');
  const held = new Map<number, (output: string) => void>();
  const handler = (who: string) => async (prediction: { attempt: number; resultKey: string }) => {
    const output = await new Promise<string>((resolve) => {
      held.set(prediction.attempt, resolve);
    });
    await bench.redis.set(prediction.resultKey, `${who} ${output}`);
    return resultWith({ batchId: who, outputKey: prediction.resultKey });
  };
  // It has no place for another one, and does not notice that its lock is gone.
  bench.consume('late', handler('frozen'), {
    concurrency: 1,
    lockDurationMs: 600_000,
    stalledIntervalMs: 200,
  });
  await queue.submit(submissionTo(target, { id: 'late-1' }));
  await eventually(() => held.has(1));
  await bench.redis.del('quern:{late}:late:late-1:lock');
  bench.consume('late', handler('second'), SHORT_LOCKS);
  await eventually(() => held.has(2));
  // The late one ends while the second attempt runs, and before it.
  held.get(1)?.('result');
  await eventually(() => bench.errors.some(({ message }) => message.includes('late-1')));
  expect((await queue.get('late-1'))?.status).toBe('processing');
  held.get(2)?.('result');
  await eventually(async () => {
    const job = await bench.redis.hgetall('quern:{late}:late:late-1');
    expect(JSON.parse(job['returnvalue'] ?? '{}')).toMatchObject({
      batch: 'second',
      key: 'quern:{late}.result:late-1:2',
    });
  });
  expect(await bench.redis.get('quern:{late}.result:late-1:2')).toBe('second result');
}, 20_000);

test('a process that used everything ends by itself after it has closed it', async () => {
  await bench.serve(queue, 'exits');
  const child = startChild('produce-consume-close.ts', 'exits');
  await child.line(/closed/, 20_000);
  expect(await child.exited).toEqual({ code: 0, signal: null });
  expect(child.lines).toEqual(['succeeded', 'closed']);
}, 30_000);
