import { eventually, TestRedis } from '@quern/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PredictionQueue } from '../src/index.ts';
import { generateId, reserveId } from '../src/reservation.ts';
import { inputOf, submissionTo, Workbench } from './workbench.ts';

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

describe('an id of the client', () => {
  test('50 identical submissions over two processes make one prediction', async () => {
    const target = await bench.serve(queue, 'identical');
    const other = await bench.producer();
    let runs = 0;
    bench.consume('identical', async () => {
      runs += 1;
      throw new Error('ran');
    });
    const all = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        (i % 2 === 0 ? queue : other).submit(submissionTo(target, { id: 'same' }), LONG),
      ),
    );
    expect(all.filter(({ created }) => created)).toHaveLength(1);
    expect(new Set(all.map(({ prediction }) => prediction.id))).toEqual(new Set(['same']));
    expect(new Set(all.map(({ prediction }) => prediction.status))).toEqual(new Set(['failed']));
    expect(runs).toBe(1);
    expect((await queue.list({ model: 'identical', limit: 100 })).predictions).toHaveLength(1);
  });

  test('answers a repetition with the prediction that it stands for, also when the queue is full', async () => {
    const target = await bench.serve(queue, 'repeated', { maxSize: 1 });
    const submission = submissionTo(target, { id: 'again-1' });
    await queue.submit(submission);
    await expect(queue.submit(submissionTo(target, { id: 'again-2' }))).rejects.toMatchObject({
      code: 'QUEUE_FULL',
    });
    const second = await queue.submit(submission);
    expect(second).toMatchObject({ created: false, prediction: { status: 'starting' } });
    bench.consume('repeated');
    const third = await queue.submit(submission, LONG);
    expect(third).toMatchObject({ created: false, prediction: { status: 'succeeded' } });
  });

  test('that was refused is still free for another content', async () => {
    const target = await bench.serve(queue, 'refused', { maxSize: 1 });
    await queue.submit(submissionTo(target));
    await expect(queue.submit(submissionTo(target, { id: 'free' }))).rejects.toMatchObject({
      code: 'QUEUE_FULL',
    });
    const roomier = await bench.serve(queue, 'roomier');
    const { created } = await queue.submit(submissionTo(roomier, { id: 'free' }));
    expect(created).toBe(true);
  });

  test('conflicts with any other content', async () => {
    const target = await bench.serve(queue, 'conflict');
    const other = await bench.serve(queue, 'conflict-2');
    await queue.submit(submissionTo(target, { id: 'taken', timeoutMs: 60_000 }));
    for (const different of [
      submissionTo(target, { id: 'taken', timeoutMs: 60_001 }),
      submissionTo(target, { id: 'taken', timeoutMs: 60_000, tensor: inputOf(1, 1) }),
      submissionTo(target, { id: 'taken', timeoutMs: 60_000, tensor: inputOf(2) }),
      submissionTo(target, { id: 'taken', timeoutMs: 60_000, priority: 'low' }),
      submissionTo(target, { id: 'taken', timeoutMs: 60_000, metadata: { a: 1 } }),
      submissionTo(target, { id: 'taken', timeoutMs: 60_000, outputs: ['y'] }),
      submissionTo({ ...target, isPinned: true }, { id: 'taken', timeoutMs: 60_000 }),
      submissionTo(other, { id: 'taken', timeoutMs: 60_000 }),
    ]) {
      await expect(queue.submit(different)).rejects.toMatchObject({ code: 'CONFLICT' });
    }
    expect((await queue.depth('conflict')).waiting).toBe(1);
    expect((await queue.depth('conflict-2')).waiting).toBe(0);
  });

  test('means the same prediction after the default version has changed', async () => {
    const target = await bench.serve(queue, 'upgraded');
    await queue.submit(submissionTo({ ...target, isPinned: false }, { id: 'before-upgrade' }));
    const newer = { ...target, version: 2, isPinned: false };
    const { created, prediction } = await queue.submit(
      submissionTo(newer, { id: 'before-upgrade' }),
    );
    expect({ created, version: prediction.version }).toEqual({ created: false, version: 1 });
  });

  test('is found again although its maker died between reservation and job', async () => {
    const target = await bench.serve(queue, 'orphan');
    await queue.submit(submissionTo(target, { id: 'orphaned' }));
    await bench.redis.del('quern:{orphan}:orphan:orphaned');
    await bench.redis.zrem('quern:{orphan}:orphan:prioritized', 'orphaned');
    expect(await queue.get('orphaned')).toBeUndefined();
    bench.consume('orphan');
    const { prediction } = await queue.submit(submissionTo(target, { id: 'orphaned' }), LONG);
    expect(prediction.status).toBe('succeeded');
    expect((await queue.get('orphaned'))?.status).toBe('succeeded');
  });

  test('has one time and one deadline, whoever of those that race for it comes last', async () => {
    const target = await bench.serve(queue, 'raced');
    const submission = { ...submissionTo(target, { timeoutMs: 60_000 }), id: 'raced-1' };
    // Another process has reserved it, some time ago, and its job is still to come.
    const { createdAtMs } = await reserveId(bench.redis, submission);
    await eventually(() => Date.now() > createdAtMs + 20);
    const { created, prediction } = await queue.submit(submission);
    expect(created).toBe(false);
    expect(prediction).toMatchObject({ createdAtMs, deadlineAtMs: createdAtMs + 60_000 });
    const deadline = await bench.redis.zscore('quern:{raced}.deadlines', 'raced-1');
    expect(Number(deadline)).toBe(createdAtMs + 60_000);
    const place = await bench.redis.zscore('quern:{raced}.predictions', 'raced-1');
    expect(Number(place)).toBe(createdAtMs);
  });

  test.each([
    'wait',
    'meta',
    'events',
    'prioritized',
    'stalled-check',
    'x.01jz5q8r3v6m2k9w4t7y0abcde',
    '../../etc',
    'a:b',
    '123',
    '',
    'a'.repeat(129),
    'é'.repeat(10_000),
  ])('%.40s is refused', async (id) => {
    const target = await bench.serve(queue, 'bad-ids');
    await expect(queue.submit(submissionTo(target, { id }))).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
      details: { path: 'id' },
    });
    expect(await queue.depth('bad-ids')).toMatchObject({ waiting: 0 });
  });
});

test('generated ids differ, and sort by time', async () => {
  const ids = Array.from({ length: 20_000 }, () => generateId('m'));
  expect(new Set(ids).size).toBe(ids.length);
  const times = ids.map((id) => id.slice(2, 12));
  expect([...times].sort()).toEqual(times);
  for (const id of ids) expect(id).toMatch(/^m\.[0-9a-hjkmnp-tv-z]{26}$/);
  // Each of the random letters takes every value.
  const letters = Array.from({ length: 16 }, (_, i) => new Set(ids.map((id) => id[12 + i])).size);
  expect(letters).toEqual(Array(16).fill(32));
});

describe('an id that stands for nothing', () => {
  const ulid = '01jz5q8r3v6m2k9w4t7y0abcde';
  const hostile = [
    '',
    '.',
    '..',
    'unknown',
    'wait',
    '__proto__',
    `unknown-model.${ulid}`,
    `x:y.${ulid}`,
    `{x}.${ulid}`,
    `a}{b:meta.${ulid}`,
    `../../x.${ulid}`,
    `*.${ulid}`,
    `.${ulid}`,
    `${'m'.repeat(200)}.${ulid}`,
    'a'.repeat(10_000),
    `${'é'.repeat(5000)}.${ulid}`,
  ];
  /** All but those that come and go with the consumers of the tests above. */
  async function lastingKeys(): Promise<string[]> {
    const keys = await bench.redis.keys('*');
    return keys.filter((key) => !/:(stalled-check|stalled|marker)$/.test(key)).sort();
  }

  test.each(hostile)('%.40s is not found, and looking leaves nothing behind', async (id) => {
    const before = await lastingKeys();
    expect(await queue.get(id)).toBeUndefined();
    expect(await queue.wait(id, { timeoutMs: 10 })).toBeUndefined();
    expect(await queue.cancel(id)).toBeUndefined();
    expect(await lastingKeys()).toEqual(before);
  });

  test('a model that another process has seen first is looked up in Redis', async () => {
    const other = await bench.producer();
    const target = await bench.serve(other, 'seen-elsewhere');
    const { prediction } = await other.submit(submissionTo(target));
    expect((await queue.get(prediction.id))?.status).toBe('starting');
  });
});
