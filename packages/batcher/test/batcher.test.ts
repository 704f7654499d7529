import { describe, expect, test } from 'vitest';
import { type BatchFormed, LaneProfiles } from '../src/index.ts';
import { payloads, setUp } from './batcher-setup.ts';
import { entryAt, fateOf } from './simulated-instances.ts';

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

  test.each([
    { instanceMs: 5, learntMs: 5, why: 'a result that waits to be seen is not the run' },
    { instanceMs: 30, learntMs: 20, why: 'what went on while the last one ran costs nothing' },
  ])('of the two times of a run the shorter is learnt: $why', async ({ instanceMs, learntMs }) => {
    const { clock, batcher } = setUp(
      {},
      {
        run: async (batch) => {
          await clock.sleep(20);
          const outcomes = batch.entries.map(
            ({ payload }) => ({ ok: true, value: payload }) as const,
          );
          return { outcomes, instanceMs };
        },
      },
    );
    void batcher.submit(entryAt(0, 1));
    await clock.runUntilIdle();
    expect(batcher.profiles.of('a').estimateMs(1)).toBe(learntMs);
  });

  test('a result that was seen just after another is not taken for a run without length', async () => {
    const { clock, batcher } = setUp(
      { maxBatchSize: 2 },
      {
        run: async (batch) => {
          await clock.sleep(batch.entries.some(({ payload }) => payload === 0) ? 20 : 20.1);
          const outcomes = batch.entries.map(
            ({ payload }) => ({ ok: true, value: payload }) as const,
          );
          return { outcomes, deviceMs: 8, instanceMs: 10 };
        },
      },
    );
    for (let payload = 0; payload < 4; payload += 1) void batcher.submit(entryAt(0, payload));
    await clock.runUntilIdle();
    expect(batcher.profiles.of('a').estimateMs(2)).toBeGreaterThanOrEqual(8);
  });

  test('the time in the prefetch place does not count as run time', async () => {
    const { clock, batcher } = setUp({}, { timeMs: (rows) => 10 * rows });
    for (let payload = 0; payload < 12; payload += 1) void batcher.submit(entryAt(0, payload));
    await clock.runUntilIdle();
    expect(batcher.profiles.of('a').estimateMs(4)).toBe(40);
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

test('settings that make no sense are refused', () => {
  expect(() => setUp({ maxBatchSize: 0 })).toThrow('maxBatchSize is 0, expected an integer');
  expect(() => setUp({ maxQueueDelayMs: -1 })).toThrow('maxQueueDelayMs is -1, expected a number');
});
