import { decodeTensors } from '@quern/contract';
import { eventually, TestRedis } from '@quern/testkit';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PredictionQueue } from '../src/index.ts';
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

describe('submitting', () => {
  test('returns the answer of a small input to the one who waits', async () => {
    const target = await bench.serve(queue, 'small');
    bench.consume('small');
    const { prediction, created } = await queue.submit(
      submissionTo(target, { tensor: inputOf(2, 7), metadata: { user: 'ada' } }),
      LONG,
    );
    expect(created).toBe(true);
    expect(prediction).toMatchObject({
      model: 'small',
      version: 1,
      status: 'succeeded',
      dataRemoved: false,
      metadata: { user: 'ada' },
      metrics: { attempts: 1, batchSize: 1, queueTimeMs: 1, inferenceTimeMs: 2 },
    });
    expect(prediction.outputs).toEqual([inputOf(2, 7)]);
    expect(prediction.id).toMatch(/^small\.[0-9a-z]{26}$/);
    expect(await queue.get(prediction.id)).toEqual(prediction);
  });

  test('without a wait returns at once, and the prediction waits for a worker', async () => {
    const target = await bench.serve(queue, 'later');
    const { prediction } = await queue.submit(submissionTo(target));
    expect(prediction.status).toBe('starting');
    expect(await queue.get(prediction.id)).toEqual(prediction);
    bench.consume('later');
    expect((await queue.wait(prediction.id, LONG))?.status).toBe('succeeded');
  });

  test('inputs of any size around the inline limit come out as they went in', async () => {
    const target = await bench.serve(queue, 'sizes');
    bench.consume('sizes');
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 600 }), async (rows) => {
        const tensor = inputOf(rows, rows);
        const { prediction } = await queue.submit(submissionTo(target, { tensor }), LONG);
        expect(prediction.outputs).toEqual([tensor]);
      }),
      { numRuns: 30, examples: [[246], [247], [248], [249]] },
    );
  });

  test('20 MB travel by reference in both directions, and never inside the job', async () => {
    const target = await bench.serve(queue, 'huge');
    const rows = (20 * 1024 * 1024) / 16;
    bench.consume('huge', async ({ input, resultKey }) => {
      if (!('key' in input)) throw new Error('expected a reference');
      await bench.redis.copy(input.key, resultKey);
      return resultWith({ bytes: rows * 16, outputKey: resultKey });
    });
    const tensor = inputOf(rows);
    const { prediction } = await queue.submit(submissionTo(target, { tensor }), LONG);
    expect(prediction.outputs?.[0]?.data.byteLength).toBe(rows * 16);
    expect(Buffer.compare(prediction.outputs?.[0]?.data ?? Buffer.of(), tensor.data)).toBe(0);
    const job = await bench.redis.hgetall(`quern:{huge}:huge:${prediction.id}`);
    expect(JSON.stringify(job).length).toBeLessThan(2000);
  });

  test('a large input is removed after success and kept after failure', async () => {
    const target = await bench.serve(queue, 'inputs', { attempts: 1 });
    bench.consume('inputs', async (prediction) => {
      if (prediction.data.rows === 999) throw new Error('cannot');
      return echo(bench.redis, prediction);
    });
    const good = await queue.submit(submissionTo(target, { tensor: inputOf(1000) }), LONG);
    const bad = await queue.submit(submissionTo(target, { tensor: inputOf(999) }), LONG);
    expect([good.prediction.status, bad.prediction.status]).toEqual(['succeeded', 'failed']);
    await eventually(async () => {
      expect(await bench.redis.keys('quern:{inputs}.input:*')).toEqual([
        `quern:{inputs}.input:${bad.prediction.id}`,
      ]);
    });
    const kept = await bench.redis.getBuffer(`quern:{inputs}.input:${bad.prediction.id}`);
    expect(decodeTensors(kept ?? Buffer.of())).toEqual([inputOf(999)]);
  });

  test('a result whose retention has ended is said to be removed', async () => {
    const target = await bench.serve(queue, 'forgotten');
    bench.consume('forgotten', async ({ resultKey }) => resultWith({ outputKey: resultKey }));
    const { prediction } = await queue.submit(submissionTo(target), LONG);
    expect(prediction).toMatchObject({ status: 'succeeded', dataRemoved: true });
    expect(prediction.outputs).toBeUndefined();
  });

  test.each(['input', 'result', 'wait', 'registry', 'constructor'])(
    'a model may be called %s',
    async (name) => {
      const target = await bench.serve(queue, name);
      bench.consume(name);
      const tensor = inputOf(500);
      const { prediction } = await queue.submit(submissionTo(target, { tensor }), LONG);
      expect(prediction.outputs).toEqual([tensor]);
    },
  );
});

describe('waiting', () => {
  test('in another process hears of the end by a forwarded message', async () => {
    const target = await bench.serve(queue, 'forwarded');
    const other = await bench.producer();
    const ear = bench.redis.duplicate();
    bench.defer(() => ear.disconnect());
    const heard: string[] = [];
    ear.on('pmessage', (_pattern, _channel, text) => heard.push(text));
    await ear.psubscribe('quern:reply:*');
    const { prediction } = await queue.submit(submissionTo(target));
    const waiting = other.wait(prediction.id, LONG);
    await eventually(() => heard.some((text) => text.includes('"forward"')));
    bench.consume('forwarded');
    expect((await waiting)?.outputs).toEqual([inputOf(1)]);
    // From the worker to the one that accepted it, and from there to the one that waits.
    expect(heard.filter((text) => text.includes('"ended"'))).toHaveLength(2);
  });

  test('survives the loss of the message', async () => {
    const target = await bench.serve(queue, 'lost-message');
    const { prediction } = await queue.submit(submissionTo(target));
    // The process that accepted it, which is told, is not there any more.
    const key = `quern:{lost-message}:lost-message:${prediction.id}`;
    const data: unknown = JSON.parse((await bench.redis.hget(key, 'data')) ?? '');
    await bench.redis.hset(
      key,
      'data',
      JSON.stringify(Object.assign({}, data, { replyTo: 'gone' })),
    );
    const waiting = queue.wait(prediction.id, LONG);
    bench.consume('lost-message');
    expect((await waiting)?.status).toBe('succeeded');
  });

  test('ends when its time is over, with the prediction as it stands', async () => {
    const target = await bench.serve(queue, 'too-slow');
    const { prediction } = await queue.submit(submissionTo(target), { timeoutMs: 30 });
    expect(prediction.status).toBe('starting');
    expect((await queue.wait(prediction.id, { timeoutMs: 30 }))?.status).toBe('starting');
  });

  test('ends at once when the caller hangs up', async () => {
    const target = await bench.serve(queue, 'hung-up');
    const caller = new AbortController();
    const submitted = queue.submit(submissionTo(target), {
      timeoutMs: 600_000,
      signal: caller.signal,
    });
    await eventually(async () => (await queue.depth('hung-up')).waiting === 1);
    caller.abort();
    expect((await submitted).prediction.status).toBe('starting');
    const again = queue.wait((await submitted).prediction.id, {
      timeoutMs: 600_000,
      signal: caller.signal,
    });
    expect((await again)?.status).toBe('starting');
  });

  test('many wait for one prediction and all are answered', async () => {
    const target = await bench.serve(queue, 'popular');
    const { prediction } = await queue.submit(submissionTo(target));
    const waits = Array.from({ length: 20 }, () => queue.wait(prediction.id, LONG));
    bench.consume('popular');
    const statuses = (await Promise.all(waits)).map((answer) => answer?.status);
    expect(statuses).toEqual(Array(20).fill('succeeded'));
  });

  test('shows a prediction that a worker holds as processing', async () => {
    const target = await bench.serve(queue, 'held');
    let finish = (): void => {};
    const finished = new Promise<void>((resolve) => {
      finish = resolve;
    });
    bench.consume('held', async (prediction) => {
      await finished;
      return echo(bench.redis, prediction);
    });
    const { prediction } = await queue.submit(submissionTo(target));
    await eventually(async () => (await queue.get(prediction.id))?.status === 'processing');
    expect((await queue.get(prediction.id))?.startedAtMs).toBeGreaterThan(0);
    finish();
    expect((await queue.wait(prediction.id, LONG))?.status).toBe('succeeded');
  });

  test('garbage on the process’s channel hurts nobody', async () => {
    const target = await bench.serve(queue, 'garbage');
    const channels = await bench.redis.call('PUBSUB', 'CHANNELS', 'quern:reply:*');
    for (const channel of Array.isArray(channels) ? channels.map(String) : []) {
      for (const text of ['', '{', 'null', '[]', '{"type":"ended","replies":[{}]}']) {
        await bench.redis.publish(channel, text);
      }
    }
    bench.consume('garbage');
    const { prediction } = await queue.submit(submissionTo(target), LONG);
    expect(prediction.status).toBe('succeeded');
  });
});

describe('closing', () => {
  test('ends waits at once, refuses what comes later, and happens once', async () => {
    const producer = await bench.producer();
    const target = await bench.serve(producer, 'closing');
    const submitting = producer.submit(submissionTo(target), { timeoutMs: 600_000 });
    await eventually(async () => (await queue.depth('closing')).waiting === 1);
    const first = producer.close();
    expect(producer.close()).toBe(first);
    await first;
    const { prediction } = await submitting;
    expect(prediction.status).toBe('starting');
    await expect(producer.get(prediction.id)).rejects.toMatchObject({ code: 'SHUTTING_DOWN' });
    // What was accepted goes on without it.
    bench.consume('closing');
    expect((await queue.wait(prediction.id, LONG))?.status).toBe('succeeded');
  });
});
