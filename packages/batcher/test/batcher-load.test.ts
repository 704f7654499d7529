import { describe, expect, test } from 'vitest';
import {
  type Batch,
  Batcher,
  type BatchingSettings,
  LaneProfiles,
  type PriorityClass,
  requiredConcurrency,
  VirtualClock,
} from '../src/index.ts';
import { entryAt, SimulatedInstances } from './simulated-instances.ts';

interface Load {
  readonly settings: BatchingSettings;
  readonly instances?: number;
  readonly timeMs: (rows: number) => number;
  /** How long a submitter takes to submit anew when it has its result. */
  readonly turnaroundMs?: number;
  readonly concurrency?: number;
  /** What ends from then to `untilMs` is counted. */
  readonly fromMs?: number;
  readonly untilMs: number;
  readonly profiles?: LaneProfiles;
}

interface Saturated {
  readonly rowsPerMs: number;
  readonly batches: readonly Batch<number>[];
  readonly batcher: Batcher<number, number>;
}

/** So many submitters, each of which submits anew when it has its result. */
async function saturate(load: Load): Promise<Saturated> {
  const { settings, instances: count = 1, timeMs, fromMs = 0, untilMs } = load;
  const { profiles = new LaneProfiles() } = load;
  const clock = new VirtualClock();
  const instances = new SimulatedInstances<number>(clock, timeMs);
  const { run } = instances;
  const batcher = new Batcher<number, number>({ settings, instances: count, clock, run, profiles });
  const submitter = async (index: number): Promise<void> => {
    while (clock.nowMs() < untilMs) {
      await batcher.submit(entryAt(clock.nowMs(), index));
      await clock.sleep(load.turnaroundMs ?? 0);
    }
  };
  const concurrency = load.concurrency ?? requiredConcurrency(settings, count);
  const submitters = Array.from({ length: concurrency }, (_, index) => submitter(index));
  await clock.runUntilIdle();
  await Promise.all(submitters);
  await batcher.close();
  const ended = instances.batches.filter(({ id }) => {
    const endedAtMs = instances.endedAtMs.get(id) ?? 0;
    return endedAtMs > fromMs && endedAtMs <= untilMs;
  });
  const rows = ended.reduce((sum, batch) => sum + batch.rows, 0);
  return { rowsPerMs: rows / (untilMs - fromMs), batches: instances.batches, batcher };
}

describe('required concurrency', () => {
  test.for([1, 2, 3])('fills every batch of %i instances', async (instances) => {
    const settings = { mode: 'fixed', maxBatchSize: 8, maxQueueDelayMs: 0 } as const;
    const { batches } = await saturate({
      settings,
      instances,
      timeMs: () => 100,
      turnaroundMs: 50,
      untilMs: 2_000,
    });
    const full = batches.filter(({ rows }) => rows === 8);
    // The first find less, and the last when the submitters stop.
    expect(full.length).toBeGreaterThan(batches.length - 2 * instances - 3);
  });

  test('is one entry for each place with batching off', () => {
    expect(requiredConcurrency({ mode: 'off', maxBatchSize: 64 }, 2)).toBe(5);
    expect(requiredConcurrency({ mode: 'auto', maxBatchSize: 64 }, 2)).toBe(320);
    expect(requiredConcurrency({ mode: 'auto', maxBatchSize: 64 }, 0)).toBe(64);
  });
});

describe('the size that mode auto learns', () => {
  const timesMs: Readonly<Record<string, (rows: number) => number>> = {
    'a launch cost that many rows share': (rows) => 1.3 + 0.15 * rows,
    'a time proportional to the rows': (rows) => 5 * rows,
    'batching that hurts': (rows) => 25 * rows ** 1.11,
    'rows/s that peak in the middle': (rows) => 10 + rows + Math.max(0, rows - 16) ** 1.5,
    'steps of eight rows': (rows) => 4 + 3 * Math.ceil(rows / 8),
    'a cliff at the end': (rows) => (rows > 48 ? 400 : 5 + rows),
  };
  const sizes = [1, 2, 4, 8, 16, 32, 64];
  const warmUps = [
    ['from nothing', () => []],
    ['from a true warm-up', (timeMs) => sizes.map((rows) => ({ rows, timeMs: timeMs(rows) }))],
    ['from a warm-up that misleads', () => sizes.map((rows) => ({ rows, timeMs: 7 }))],
  ] as const satisfies readonly (readonly [string, (timeMs: (rows: number) => number) => object])[];

  for (const [name, timeMs] of Object.entries(timesMs)) {
    test.for(warmUps)(
      `with ${name}, %s, runs as fast as the best fixed size`,
      async ([, seedOf]) => {
        const best = Math.max(...sizes.map((rows) => rows / timeMs(rows)));
        const profiles = new LaneProfiles(seedOf(timeMs));
        const settings = { mode: 'auto', maxBatchSize: 64, maxQueueDelayMs: 0 } as const;
        const fromMs = 200 * timeMs(1) + 15 * timeMs(64);
        const load = { settings, timeMs, fromMs, untilMs: 3 * fromMs, profiles };
        const { rowsPerMs } = await saturate(load);
        expect(rowsPerMs / best).toBeGreaterThan(0.97);
      },
    );
  }

  test('follows a model that changes its ways', async () => {
    let timeMs = timesMs['a launch cost that many rows share'] ?? Number;
    const profiles = new LaneProfiles();
    const settings = { mode: 'auto', maxBatchSize: 64, maxQueueDelayMs: 0 } as const;
    const load = { settings, timeMs: (rows: number) => timeMs(rows), profiles, untilMs: 5_000 };
    await saturate(load);
    expect(profiles.of('a').bestSize(64)).toBe(64);
    timeMs = timesMs['batching that hurts'] ?? Number;
    await saturate({ ...load, untilMs: 60_000 });
    expect(profiles.of('a').bestSize(64)).toBe(1);
  });
});

describe('nobody starves', () => {
  /** Entries of one kind come as fast as they can be run; one other comes at the start. */
  async function waitOfOneAmong(
    flood: {
      readonly lane: string;
      readonly priority: PriorityClass;
      readonly deadlineInMs?: number;
    },
    one: { readonly lane: string; readonly priority: PriorityClass },
  ): Promise<number> {
    const clock = new VirtualClock();
    const instances = new SimulatedInstances<string>(clock, () => 10);
    const batcher = new Batcher<string, string>({
      settings: { mode: 'fixed', maxBatchSize: 4, maxQueueDelayMs: 0 },
      instances: 1,
      clock,
      run: instances.run,
      profiles: new LaneProfiles([{ rows: 4, timeMs: 10 }]),
    });
    const submitFlood = (again: boolean): void => {
      const nowMs = clock.nowMs();
      const { deadlineInMs, ...more } = flood;
      const deadlineAtMs = deadlineInMs === undefined ? undefined : nowMs + deadlineInMs;
      batcher.submit(entryAt(nowMs, 'flood', { ...more, deadlineAtMs })).catch(() => {});
      if (again && nowMs < 15_000) clock.setTimer(nowMs + 2.5, () => submitFlood(true));
    };
    for (let count = 0; count < 40; count += 1) submitFlood(count === 0);
    await clock.advanceTo(1);
    void batcher.submit(entryAt(1, 'one', one));
    await clock.runUntilIdle();
    await batcher.close();
    const batch = instances.batches.find(({ entries }) =>
      entries.some(({ payload }) => payload === 'one'),
    );
    return (batch?.formedAtMs ?? Number.POSITIVE_INFINITY) - 1;
  }

  test('a low entry lets pass what comes within four seconds, in its lane or another', async () => {
    for (const lane of ['a', 'b']) {
      const waitMs = await waitOfOneAmong({ lane: 'a', priority: 0 }, { lane, priority: 2 });
      expect(waitMs).toBeGreaterThan(3_000);
      expect(waitMs).toBeLessThan(4_600);
    }
  });

  test('a lane without deadlines goes first after ten seconds', async () => {
    const flood = { lane: 'a', priority: 1, deadlineInMs: 30 } as const;
    const waitMs = await waitOfOneAmong(flood, { lane: 'b', priority: 1 });
    expect(waitMs).toBeGreaterThan(9_000);
    expect(waitMs).toBeLessThan(10_200);
  });

  test('nor behind full batches of another lane', async () => {
    const waitMs = await waitOfOneAmong({ lane: 'a', priority: 1 }, { lane: 'b', priority: 1 });
    expect(waitMs).toBeLessThan(200);
  });
});
