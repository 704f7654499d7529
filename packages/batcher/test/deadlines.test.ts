import { expect, test } from 'vitest';
import { Batcher, LaneProfiles, type PriorityClass, VirtualClock } from '../src/index.ts';
import { setUp } from './batcher-setup.ts';
import { entryAt, fateOf, SimulatedInstances } from './simulated-instances.ts';

/** Runs a few batches of one, so that a run of 100 ms is known. */
async function learn({ clock, batcher }: ReturnType<typeof setUp>): Promise<void> {
  for (let run = 0; run < 4; run += 1) {
    void batcher.submit(entryAt(clock.nowMs(), run));
    await clock.advanceBy(100);
  }
}

test('what cannot make its deadline any more is dropped when a batch forms, before its deadline', async () => {
  const parts = setUp();
  const { clock, batcher, instances } = parts;
  await learn(parts);
  const blocking = fateOf(batcher.submit(entryAt(clock.nowMs(), 10)));
  await clock.advanceBy(50);
  const late = fateOf(
    batcher.submit(entryAt(clock.nowMs(), 11, { deadlineAtMs: clock.nowMs() + 120 })),
  );
  const inTime = fateOf(
    batcher.submit(entryAt(clock.nowMs(), 12, { deadlineAtMs: clock.nowMs() + 160 })),
  );
  await clock.advanceBy(60);
  expect(await late).toBe('expired');
  await clock.runUntilIdle();
  expect([await blocking, await inTime]).toEqual(['value', 'value']);
  expect(instances.batches.at(-1)?.entries.map(({ payload }) => payload)).toEqual([12]);
});

test('after a second without runs one is run that seems too late, to find out', async () => {
  const parts = setUp();
  const { clock, batcher } = parts;
  await learn(parts);
  const submitHopeless = (): Promise<string> => {
    const nowMs = clock.nowMs();
    return fateOf(batcher.submit(entryAt(nowMs, 1, { deadlineAtMs: nowMs + 60 })));
  };
  const soon = submitHopeless();
  await clock.advanceBy(2_000);
  const later = submitHopeless();
  await clock.runUntilIdle();
  expect([await soon, await later]).toEqual(['expired', 'value']);
});

test('an entry with a deadline goes before older ones without, of its own class and of others', async () => {
  const parts = setUp({ maxBatchSize: 1 });
  const { clock, batcher, instances } = parts;
  await learn(parts);
  const atMs = clock.nowMs();
  const classes: readonly PriorityClass[] = [1, 0, 2];
  void batcher.submit(entryAt(atMs, 10));
  await clock.advanceBy(1);
  for (const priority of classes) void batcher.submit(entryAt(atMs + 1, 11, { priority }));
  void batcher.submit(entryAt(atMs + 2, 99, { priority: 2, deadlineAtMs: atMs + 250 }));
  await clock.runUntilIdle();
  const ran = instances.batches.flatMap(({ entries }) => entries.map(({ payload }) => payload));
  expect(ran.slice(4)).toEqual([10, 99, 11, 11, 11]);
});

test('under more deadlines than can be kept, nearly all runs keep theirs', async () => {
  const clock = new VirtualClock();
  const timeMs = (rows: number): number => 8 + rows / 4;
  const instances = new SimulatedInstances<number>(clock, timeMs);
  const batcher = new Batcher<number, number>({
    settings: { mode: 'auto', maxBatchSize: 32, maxQueueDelayMs: 0 },
    instances: 1,
    clock,
    run: instances.run,
    profiles: new LaneProfiles(
      [1, 2, 4, 8, 16, 32].map((rows) => ({ rows, timeMs: timeMs(rows) })),
    ),
  });
  const fates: Promise<string>[] = [];
  // 2.5 entries a millisecond, where 2 are the most that can be done.
  for (let index = 0; index < 5_000; index += 1) {
    const atMs = index * 0.4;
    clock.setTimer(atMs, () => {
      fates.push(fateOf(batcher.submit(entryAt(atMs, index, { deadlineAtMs: atMs + 40 }))));
    });
  }
  await clock.runUntilIdle();
  const values = (await Promise.all(fates)).filter((fate) => fate === 'value').length;
  const late = instances.batches.flatMap((batch) =>
    batch.entries.filter(
      ({ deadlineAtMs = 0 }) => (instances.endedAtMs.get(batch.id) ?? 0) > deadlineAtMs,
    ),
  ).length;
  expect(late / values).toBeLessThan(0.02);
  expect((values - late) / 5_000).toBeGreaterThan(0.75);
});
