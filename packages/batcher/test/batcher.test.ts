import { describe, expect, test } from 'vitest';
import {
  type Batch,
  Batcher,
  type BatcherOptions,
  type BatchFormed,
  type BatchingSettings,
  LaneProfiles,
  VirtualClock,
} from '../src/index.ts';
import { entryAt, fateOf, SimulatedInstances } from './simulated-instances.ts';

function setUp(
  settings: Partial<BatchingSettings> = {},
  options: Partial<BatcherOptions<number, number>> & { timeMs?: (rows: number) => number } = {},
) {
  const clock = new VirtualClock();
  const instances = new SimulatedInstances<number>(clock, options.timeMs ?? (() => 100));
  const batcher = new Batcher<number, number>({
    settings: { mode: 'fixed', maxBatchSize: 4, maxQueueDelayMs: 0, ...settings },
    instances: 1,
    clock,
    run: instances.run,
    ...options,
  });
  return { clock, instances, batcher };
}

function payloads(batch: Batch<number> | undefined): number[] {
  return batch?.entries.map(({ payload }) => payload) ?? [];
}

describe('forming batches', () => {
  test('a burst of one moment shares a batch', async () => {
    const { clock, instances, batcher } = setUp();
    const results = [1, 2, 3].map((payload) => batcher.submit(entryAt(0, payload)));
    await clock.runUntilIdle();
    expect(await Promise.all(results)).toEqual([1, 2, 3]);
    expect(instances.batches.map(payloads)).toEqual([[1, 2, 3]]);
  });

  test('while the instance is busy a batch grows, and is prefetched once full', async () => {
    const { clock, instances, batcher } = setUp();
    void batcher.submit(entryAt(0, 0));
    await clock.settle();
    for (const payload of [1, 2, 3]) void batcher.submit(entryAt(0, payload));
    await clock.advanceBy(10);
    expect(instances.batches.map(payloads)).toEqual([[0]]);
    void batcher.submit(entryAt(10, 4));
    await clock.settle();
    expect(instances.batches.map(payloads)).toEqual([[0], [1, 2, 3, 4]]);
    expect(instances.batches[1]).toMatchObject({ reason: 'full', prefetched: true });
    await clock.runUntilIdle();
  });

  test('just before a run ends what is there is prefetched', async () => {
    const profiles = new LaneProfiles([{ rows: 1, timeMs: 100 }]);
    const { clock, instances, batcher } = setUp({}, { profiles });
    void batcher.submit(entryAt(0, 0));
    await clock.advanceBy(10);
    for (const payload of [1, 2]) void batcher.submit(entryAt(10, payload));
    await clock.advanceTo(97.9);
    expect(instances.batches.map(payloads)).toEqual([[0]]);
    await clock.runUntilIdle();
    expect(instances.batches[1]).toMatchObject({ rows: 2, formedAtMs: 98, prefetched: true });
    expect(instances.startedAtMs.get(2)).toBe(100);
  });

  test.each(['auto', 'fixed', 'off'] as const)(
    'in mode %s an entry that runs alone waits for no company, and takes none along',
    async (mode) => {
      const { clock, instances, batcher } = setUp({ mode, maxQueueDelayMs: 1000 });
      for (const payload of [1, 2]) void batcher.submit(entryAt(0, payload, { alone: true }));
      const shared = [3, 4].map((payload) => batcher.submit(entryAt(0, payload)));
      await clock.advanceTo(150);
      const alone = instances.batches.filter((batch) => payloads(batch).some((one) => one < 3));
      expect(alone.map(payloads)).toEqual([[1], [2]]);
      expect(alone).toMatchObject([
        { lane: 'a', reason: 'full', formedAtMs: 0 },
        { lane: 'a', reason: 'full', formedAtMs: 0 },
      ]);
      await clock.runUntilIdle();
      expect(await Promise.all(shared)).toEqual([3, 4]);
      expect(batcher.stats()).toMatchObject({ queuedEntries: 0, succeeded: 4 });
    },
  );

  test('an entry that runs alone can be aborted, and expires', async () => {
    const { clock, batcher } = setUp({}, { instances: 0 });
    const aborted = entryAt(0, 1, { alone: true });
    const fates = [
      fateOf(batcher.submit(aborted)),
      fateOf(batcher.submit(entryAt(0, 2, { alone: true, deadlineAtMs: 5 }))),
    ];
    expect(batcher.abort(aborted)).toBe(true);
    await clock.advanceTo(5);
    expect(await Promise.all(fates)).toEqual(['aborted', 'expired']);
  });

  test('the delay counts from the oldest entry', async () => {
    const { clock, instances, batcher } = setUp({ maxQueueDelayMs: 10 });
    void batcher.submit(entryAt(-4, 1));
    await clock.advanceBy(5);
    void batcher.submit(entryAt(5, 2));
    await clock.advanceTo(5.9);
    expect(instances.batches).toEqual([]);
    await clock.advanceTo(6);
    expect(instances.batches).toMatchObject([{ reason: 'delay', formedAtMs: 6, rows: 2 }]);
    await clock.runUntilIdle();
  });

  test('a late entry that arrived earlier is the oldest, and goes first', async () => {
    const { clock, instances, batcher } = setUp({ maxQueueDelayMs: 10 });
    void batcher.submit(entryAt(0, 1));
    void batcher.submit(entryAt(-7, 2));
    await clock.runUntilIdle();
    expect(instances.batches).toMatchObject([{ formedAtMs: 3 }]);
    expect(payloads(instances.batches[0])).toEqual([2, 1]);
  });

  test('a deadline starts the batch before the delay ends', async () => {
    const { clock, instances, batcher } = setUp(
      { maxQueueDelayMs: 500 },
      { profiles: new LaneProfiles([{ rows: 1, timeMs: 100 }]) },
    );
    void batcher.submit(entryAt(0, 1, { deadlineAtMs: 300 }));
    await clock.runUntilIdle();
    expect(instances.batches).toMatchObject([{ reason: 'deadline', formedAtMs: 188 }]);
  });

  test('an entry that does not fit is passed over for one that does, and heads the next batch', async () => {
    const { clock, instances, batcher } = setUp();
    for (const [payload, rows] of [
      [1, 2],
      [2, 3],
      [3, 2],
      [4, 1],
    ] as const) {
      void batcher.submit(entryAt(0, payload, { rows }));
    }
    await clock.runUntilIdle();
    expect(instances.batches.map(payloads)).toEqual([
      [1, 3],
      [2, 4],
    ]);
  });

  test('high entries go before normal ones of the two seconds before, not before older ones', async () => {
    const { clock, instances, batcher } = setUp({ mode: 'off' });
    await clock.advanceTo(5_000);
    void batcher.submit(entryAt(2_900, 1));
    void batcher.submit(entryAt(3_100, 2));
    void batcher.submit(entryAt(5_000, 3, { priority: 0 }));
    void batcher.submit(entryAt(1_000, 4, { priority: 2 }));
    await clock.runUntilIdle();
    expect(instances.batches.flatMap(payloads)).toEqual([1, 3, 4, 2]);
  });

  test('the observer is told of each batch', async () => {
    const formed: BatchFormed<number>[] = [];
    const { clock, batcher } = setUp({}, { onBatch: (event) => formed.push(event) });
    await clock.advanceTo(10);
    void batcher.submit(entryAt(3, 1));
    void batcher.submit(entryAt(8, 2));
    await clock.runUntilIdle();
    expect(formed).toMatchObject([
      { batch: { id: 1, rows: 2 }, fillRatio: 0.5, queueTimesMs: [7, 2] },
    ]);
  });
});

describe('outcomes', () => {
  test('each entry gets its own', async () => {
    const { clock, batcher } = setUp(
      {},
      {
        run: async (batch) => ({
          outcomes: batch.entries.map(({ payload }) =>
            payload === 2
              ? { ok: false, error: new Error('two') }
              : { ok: true, value: payload * 10 },
          ),
        }),
      },
    );
    const fates = [1, 2, 3].map((payload) => batcher.submit(entryAt(0, payload)));
    const settled = Promise.allSettled(fates);
    await clock.settle();
    expect(await settled).toMatchObject([
      { value: 10 },
      { reason: { message: 'two' } },
      { value: 30 },
    ]);
    expect(batcher.stats()).toMatchObject({ succeeded: 2, failed: 1, inFlightBatches: 0 });
  });

  test.for([
    ['rejects', () => Promise.reject(new Error('lost')), 'lost'],
    [
      'throws',
      () => {
        throw new Error('broken');
      },
      'broken',
    ],
    [
      'returns too few outcomes',
      () => Promise.resolve({ outcomes: [] }),
      'expected one for each of its 2',
    ],
  ] as const)('when the run %s every entry fails with that error', async ([, run, message]) => {
    const { clock, batcher } = setUp({}, { run });
    const fates = Promise.all([1, 2].map((payload) => fateOf(batcher.submit(entryAt(0, payload)))));
    await clock.settle();
    expect(await fates).toEqual([
      expect.stringContaining(message),
      expect.stringContaining(message),
    ]);
    expect(batcher.stats()).toMatchObject({ inFlightBatches: 0, idleInstances: 1 });
  });

  test('nothing is learnt from a run that is not typical', async () => {
    const { clock, batcher } = setUp(
      {},
      {
        run: async (batch) => {
          await clock.sleep(5);
          return {
            outcomes: batch.entries.map(({ payload }) => ({ ok: true, value: payload })),
            timeIsTypical: batch.id === 2,
          };
        },
      },
    );
    void batcher.submit(entryAt(0, 1));
    await clock.runUntilIdle();
    expect(batcher.profiles.of('a').estimateMs(1)).toBeUndefined();
    void batcher.submit(entryAt(5, 1));
    await clock.runUntilIdle();
    expect(batcher.profiles.of('a').estimateMs(1)).toBe(5);
  });

  test('the time in the prefetch place does not count as run time', async () => {
    const { clock, batcher } = setUp({}, { timeMs: (rows) => 10 * rows });
    for (let payload = 0; payload < 12; payload += 1) void batcher.submit(entryAt(0, payload));
    await clock.runUntilIdle();
    expect(batcher.profiles.of('a').estimateMs(4)).toBe(40);
  });
});

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

describe('instances that come and go', () => {
  test('without any entries wait, and run when one comes', async () => {
    const { clock, instances, batcher } = setUp({}, { instances: 0 });
    void batcher.submit(entryAt(0, 1));
    await clock.advanceBy(1_000);
    expect(instances.batches).toEqual([]);
    batcher.setInstances(1);
    await clock.runUntilIdle();
    expect(instances.batches).toMatchObject([{ formedAtMs: 1_000, instance: 0 }]);
  });

  test('they can have keys', async () => {
    const { clock, instances, batcher } = setUp({ maxBatchSize: 1 }, { instances: [7, 9] });
    for (const payload of [1, 2]) void batcher.submit(entryAt(0, payload));
    await clock.runUntilIdle();
    expect(instances.batches.map(({ instance }) => instance)).toEqual([7, 9]);
  });

  test('one that comes back with its batch still running gets no third', async () => {
    const { clock, instances, batcher } = setUp({ mode: 'off' });
    for (let payload = 0; payload < 5; payload += 1) void batcher.submit(entryAt(0, payload));
    await clock.settle();
    batcher.setInstances(0);
    batcher.setInstances(1);
    await clock.advanceBy(50);
    expect(instances.inFlight).toBe(2);
    await clock.runUntilIdle();
    expect(instances.batches).toHaveLength(5);
  });
});

describe('the limit after a device ran out of memory', () => {
  test('keeps batches small, and runs a larger entry alone', async () => {
    const { clock, instances, batcher } = setUp();
    batcher.limitBatchSize(2);
    for (const rows of [1, 3, 1, 1]) void batcher.submit(entryAt(0, rows, { rows }));
    await clock.runUntilIdle();
    expect(instances.batches.map(payloads)).toEqual([[1, 1], [3], [1]]);
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

test('settings that make no sense are refused', () => {
  expect(() => setUp({ maxBatchSize: 0 })).toThrow('maxBatchSize is 0, expected an integer');
  expect(() => setUp({ maxQueueDelayMs: -1 })).toThrow('maxQueueDelayMs is -1, expected a number');
});
