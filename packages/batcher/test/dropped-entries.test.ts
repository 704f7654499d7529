import { describe, expect, test } from 'vitest';
import { payloads, setUp } from './batcher-setup.ts';
import { entryAt, fateOf } from './simulated-instances.ts';

describe('entries that never run', () => {
  test('an aborted one is dropped at once, and another takes its place', async () => {
    const { clock, instances, batcher } = setUp({ maxQueueDelayMs: 10 });
    const abort = new AbortController();
    const fate = fateOf(batcher.submit(entryAt(0, 1, { signal: abort.signal })));
    void batcher.submit(entryAt(0, 2));
    await clock.settle();
    abort.abort();
    expect(await fate).toBe('aborted');
    expect(batcher.stats()).toMatchObject({ queuedEntries: 1, dropped: { aborted: 1 } });
    await clock.runUntilIdle();
    expect(instances.batches.map(payloads)).toEqual([[2]]);
  });

  test('one can be aborted without a signal', async () => {
    const { clock, instances, batcher } = setUp({ maxQueueDelayMs: 10 });
    const entry = entryAt(0, 1);
    const fate = fateOf(batcher.submit(entry));
    expect(batcher.abort(entry)).toBe(true);
    expect(batcher.abort(entry)).toBe(false);
    expect(await fate).toBe('aborted');
    await clock.runUntilIdle();
    expect(instances.batches).toEqual([]);
  });

  test('a signal that comes when the entry runs changes nothing', async () => {
    const { clock, batcher } = setUp();
    const abort = new AbortController();
    const fate = fateOf(batcher.submit(entryAt(0, 1, { signal: abort.signal })));
    await clock.advanceBy(50);
    abort.abort();
    await clock.runUntilIdle();
    expect(await fate).toBe('value');
    expect(batcher.stats()).toMatchObject({ queuedEntries: 0, queuedRows: 0 });
  });

  test('one whose deadline comes is dropped then, while the instance is busy', async () => {
    const { clock, instances, batcher } = setUp();
    void batcher.submit(entryAt(0, 1));
    await clock.settle();
    let expiredAtMs: number | undefined;
    const fate = fateOf(batcher.submit(entryAt(0, 2, { deadlineAtMs: 60 }))).then((reason) => {
      expiredAtMs = clock.nowMs();
      return reason;
    });
    await clock.runUntilIdle();
    expect(await fate).toBe('expired');
    expect(expiredAtMs).toBe(60);
    expect(instances.batches.map(payloads)).toEqual([[1]]);
  });

  test('refused at once: aborted, expired, too large, not a number of rows', async () => {
    const { clock, batcher } = setUp();
    await clock.advanceTo(10);
    const refused = [
      entryAt(0, 1, { signal: AbortSignal.abort() }),
      entryAt(0, 1, { deadlineAtMs: 10 }),
      entryAt(0, 1, { rows: 5 }),
      entryAt(0, 1, { rows: 0 }),
    ].map((entry) => fateOf(batcher.submit(entry)));
    expect(await Promise.all(refused)).toEqual(['aborted', 'expired', 'oversized', 'oversized']);
    expect(batcher.stats()).toMatchObject({ queuedEntries: 0, queuedRows: 0 });
  });
});

describe('ending', () => {
  test('drain gives back what no run has taken and waits for what runs', async () => {
    const { clock, instances, batcher } = setUp();
    const taken = fateOf(batcher.submit(entryAt(0, 1)));
    await clock.settle();
    const queued = fateOf(batcher.submit(entryAt(0, 2)));
    let drainedAtMs: number | undefined;
    const drained = batcher.drain().then(() => {
      drainedAtMs = clock.nowMs();
    });
    expect(await queued).toBe('drained');
    expect(await fateOf(batcher.submit(entryAt(0, 3)))).toBe('drained');
    await clock.runUntilIdle();
    await drained;
    expect(drainedAtMs).toBe(100);
    expect(await taken).toBe('value');
    expect(instances.batches.map(payloads)).toEqual([[1]]);
  });

  test('drain can run what is queued, without waiting for more', async () => {
    const { clock, instances, batcher } = setUp({ maxQueueDelayMs: 10_000 });
    const fates = [1, 2, 3, 4, 5].map((payload) => fateOf(batcher.submit(entryAt(0, payload))));
    const drained = batcher.drain({ queued: 'run' });
    await clock.runUntilIdle(1_000);
    await drained;
    expect(await Promise.all(fates)).toEqual(Array(5).fill('value'));
    expect(instances.batches.map(({ reason }) => reason)).toEqual(['full', 'drain']);
  });

  test('close drops what is queued, leaves no timer, and can be called again', async () => {
    const { clock, batcher } = setUp({ maxQueueDelayMs: 10_000 });
    const queued = fateOf(batcher.submit(entryAt(0, 1, { deadlineAtMs: 50_000 })));
    await clock.settle();
    expect(clock.pendingTimers).toBe(1);
    await Promise.all([batcher.close(), batcher.close()]);
    await clock.settle();
    expect(await queued).toBe('closed');
    expect(await fateOf(batcher.submit(entryAt(0, 2)))).toBe('closed');
    expect(clock.pendingTimers).toBe(0);
  });

  test('close ends a drain that has no instance to run on', async () => {
    const { clock, batcher } = setUp({}, { instances: 0 });
    const queued = fateOf(batcher.submit(entryAt(0, 1)));
    const drained = batcher.drain({ queued: 'run' });
    await clock.advanceBy(10);
    await batcher.close();
    await drained;
    expect(await queued).toBe('closed');
  });
});
