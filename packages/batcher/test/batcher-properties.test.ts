import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Batch, Batcher, type BatchingMode, type Entry, VirtualClock } from '../src/index.ts';
import { fateOf, SimulatedInstances } from './simulated-instances.ts';

/** What happens to one entry: it comes after a while, and may be aborted a while later. */
interface Arrival {
  readonly afterMs: number;
  readonly rows: number;
  readonly lane: string;
  readonly priority: 0 | 1 | 2;
  readonly deadlineInMs: number | undefined;
  readonly abortInMs: number | undefined;
  readonly alone: boolean;
}

interface Scenario {
  readonly mode: BatchingMode;
  readonly maxBatchSize: number;
  readonly maxQueueDelayMs: number;
  readonly instances: number;
  readonly runMs: number;
  readonly arrivals: readonly Arrival[];
}

const arrival: fc.Arbitrary<Arrival> = fc.record({
  afterMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 30 })),
  rows: fc.oneof({ weight: 4, arbitrary: fc.constant(1) }, fc.integer({ min: 1, max: 3 })),
  lane: fc.constantFrom('a', 'b', 'c'),
  priority: fc.constantFrom(0, 1, 2),
  deadlineInMs: fc.option(fc.integer({ min: 1, max: 200 }), { nil: undefined }),
  abortInMs: fc.option(fc.integer({ min: 0, max: 50 }), { nil: undefined, freq: 4 }),
  alone: fc.oneof({ weight: 6, arbitrary: fc.constant(false) }, fc.constant(true)),
});

const scenarios: fc.Arbitrary<Scenario> = fc.record({
  mode: fc.constantFrom<BatchingMode>('auto', 'fixed', 'off'),
  maxBatchSize: fc.integer({ min: 3, max: 9 }),
  maxQueueDelayMs: fc.constantFrom(0, 5, 40),
  instances: fc.integer({ min: 1, max: 3 }),
  runMs: fc.constantFrom(0.5, 7, 60),
  arrivals: fc.array(arrival, { minLength: 1, maxLength: 60 }),
});

interface Played {
  readonly entries: readonly Entry<number>[];
  readonly fates: readonly string[];
  readonly batches: readonly Batch<number>[];
  readonly settledAtMs: readonly number[];
  readonly mostInFlight: number;
}

/** Plays a scenario to its end; `drainAtMs` drains it at some moment. */
async function play(scenario: Scenario, drainAtMs?: number): Promise<Played> {
  const clock = new VirtualClock();
  const { mode, maxBatchSize, maxQueueDelayMs } = scenario;
  const timeMs = (rows: number): number => scenario.runMs * (1 + rows / 4);
  const instances = new SimulatedInstances<number>(clock, timeMs);
  const batcher = new Batcher<number, number>({
    settings: { mode, maxBatchSize, maxQueueDelayMs },
    instances: scenario.instances,
    clock,
    run: instances.run,
  });
  const entries: Entry<number>[] = [];
  const fates: Promise<string>[] = [];
  const settledAtMs: number[] = [];
  let atMs = 0;
  scenario.arrivals.forEach((next, index) => {
    atMs += next.afterMs;
    const abort = new AbortController();
    const entry: Entry<number> = {
      ...next,
      arrivedAtMs: atMs,
      deadlineAtMs: next.deadlineInMs === undefined ? undefined : atMs + next.deadlineInMs,
      signal: abort.signal,
      payload: index,
    };
    entries.push(entry);
    clock.setTimer(atMs, () => {
      fates[index] = fateOf(batcher.submit(entry)).then((fate) => {
        settledAtMs[index] = clock.nowMs();
        return fate;
      });
    });
    if (next.abortInMs !== undefined) clock.setTimer(atMs + next.abortInMs, () => abort.abort());
  });
  if (drainAtMs !== undefined) clock.setTimer(drainAtMs, () => void batcher.drain());
  await clock.runUntilIdle();
  expect(batcher.stats()).toMatchObject({
    queuedEntries: 0,
    queuedRows: 0,
    inFlightBatches: 0,
    inFlightEntries: 0,
    inFlightRows: 0,
  });
  return {
    entries,
    fates: await Promise.all(fates),
    batches: instances.batches,
    settledAtMs,
    mostInFlight: instances.mostInFlight,
  };
}

test('every entry runs once or is dropped for a reason that holds, never both', async () => {
  await fc.assert(
    fc.asyncProperty(
      scenarios,
      fc.option(fc.integer({ min: 0, max: 300 })),
      async (scenario, drain) => {
        const drainAtMs = drain ?? undefined;
        const { entries, fates, batches, settledAtMs } = await play(scenario, drainAtMs);
        const ran = batches.flatMap((batch) => batch.entries.map(({ payload }) => payload));
        expect(new Set(ran).size).toBe(ran.length);
        fates.forEach((fate, index) => {
          expect(ran.includes(index)).toBe(fate === 'value');
          const { arrivedAtMs, deadlineAtMs } = entries[index] ?? {
            arrivedAtMs: 0,
            deadlineAtMs: 0,
          };
          const abortInMs = scenario.arrivals[index]?.abortInMs;
          if (fate === 'expired') expect(settledAtMs[index]).toBeLessThanOrEqual(deadlineAtMs ?? 0);
          if (fate === 'aborted') expect(settledAtMs[index]).toBe(arrivedAtMs + (abortInMs ?? NaN));
          if (fate === 'drained') {
            expect(settledAtMs[index]).toBe(Math.max(arrivedAtMs, drainAtMs ?? Number.NaN));
          }
        });
        for (const { formedAtMs, entries: taken } of batches) {
          if (drainAtMs !== undefined) expect(formedAtMs).toBeLessThanOrEqual(drainAtMs);
          for (const { deadlineAtMs = Number.POSITIVE_INFINITY } of taken) {
            expect(deadlineAtMs).toBeGreaterThan(formedAtMs);
          }
        }
      },
    ),
    { numRuns: 150 },
  );
});

test('a batch has one lane, at most the rows allowed, and each instance at most two', async () => {
  await fc.assert(
    fc.asyncProperty(scenarios, async (scenario) => {
      const { batches, mostInFlight } = await play(scenario);
      for (const batch of batches) {
        expect(new Set(batch.entries.map(({ lane }) => lane))).toEqual(new Set([batch.lane]));
        expect(batch.rows).toBe(batch.entries.reduce((sum, { rows }) => sum + rows, 0));
        expect(batch.rows).toBeLessThanOrEqual(scenario.maxBatchSize);
        const runsAlone = scenario.mode === 'off' || batch.entries.some(({ alone }) => alone);
        if (runsAlone) expect(batch.entries).toHaveLength(1);
      }
      expect(mostInFlight).toBeLessThanOrEqual(scenario.instances * 2);
    }),
    { numRuns: 100 },
  );
});

test('within a class and lane entries of one size without deadlines are taken in order of arrival', async () => {
  await fc.assert(
    fc.asyncProperty(scenarios, async (scenario) => {
      const { batches } = await play(scenario);
      const last = new Map<string, number>();
      const shared = batches
        .flatMap((batch) => batch.entries)
        .filter(({ alone, deadlineAtMs }) => !alone && deadlineAtMs === undefined);
      for (const { lane, priority, rows, payload } of shared) {
        const key = `${lane} ${priority} ${rows}`;
        expect(payload).toBeGreaterThan(last.get(key) ?? -1);
        last.set(key, payload);
      }
    }),
    { numRuns: 100 },
  );
});

test('only a full batch is prefetched, except just before a run ends', async () => {
  await fc.assert(
    fc.asyncProperty(scenarios, async (scenario) => {
      // Runs this short have no lead; a deadline may cut a full batch short.
      const arrivals = scenario.arrivals.map((next) => ({ ...next, deadlineInMs: undefined }));
      const { batches } = await play({ ...scenario, arrivals, mode: 'fixed', runMs: 0.5 });
      for (const batch of batches) {
        if (batch.prefetched) expect(batch.reason).toBe('full');
      }
    }),
    { numRuns: 100 },
  );
});
