import { Batcher, type TurnGate, VirtualClock } from '@quern/batcher';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DeviceTurns } from '../src/device-turns.ts';

interface ModelOnDevice {
  readonly weight: number;
  /** Length of its runs. */
  readonly runMs: number;
  readonly units: number;
  readonly instances: number;
}

/** A model that always has something to run, over a gate; runs take as long however many run beside. */
class BusyModel {
  readonly startsAtMs: number[] = [];
  readonly weight: number;
  usedMs = 0;
  refused = 0;
  readonly #clock: VirtualClock;
  readonly #gate: TurnGate;
  readonly #runMs: number;
  readonly #units: number;
  #idle: number;
  #isPlanned = false;
  #hasMore = true;

  constructor(
    clock: VirtualClock,
    turns: DeviceTurns,
    capacity: number,
    model: ModelOnDevice,
    name: string,
  ) {
    this.#clock = clock;
    this.#runMs = model.runMs;
    this.#idle = model.instances;
    this.weight = model.weight;
    const units = Math.min(model.units, capacity);
    this.#units = units;
    const share = { device: 'cpu', capacity, units, model: name, weight: model.weight };
    this.#gate = turns.join({ ...share, onTurn: () => this.#soon() });
  }

  begin(): void {
    this.#hasMore = true;
    this.#soon();
  }

  stop(): void {
    this.#hasMore = false;
    this.#soon();
  }

  #soon(): void {
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    this.#clock.soon(() => {
      this.#isPlanned = false;
      this.#startAll();
    });
  }

  #startAll(): void {
    while (this.#hasMore && this.#idle > 0) {
      if (!this.#gate.start()) {
        this.refused += 1;
        return;
      }
      this.#idle -= 1;
      this.startsAtMs.push(this.#clock.nowMs());
      this.#clock.setTimer(this.#clock.nowMs() + this.#runMs, () => this.#end());
    }
    this.#gate.withdraw();
  }

  #end(): void {
    this.#idle += 1;
    this.usedMs += this.#runMs * this.#units;
    this.#gate.charge(this.#runMs);
    this.#gate.end();
    this.#soon();
  }
}

function run(capacity: number, models: readonly ModelOnDevice[]) {
  const clock = new VirtualClock();
  const turns = new DeviceTurns(clock);
  const busy = models.map((model, i) => new BusyModel(clock, turns, capacity, model, `m${i}`));
  return { clock, busy };
}

function anyModel(mostInstances: number, weights: readonly number[]) {
  return fc.record({
    weight: fc.constantFrom(...weights),
    runMs: fc.integer({ min: 1, max: 200 }),
    units: fc.integer({ min: 1, max: 4 }),
    instances: fc.integer({ min: 1, max: mostInstances }),
  });
}

describe('models that always have something to run', () => {
  test('use the device by weight, however long their runs are', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyModel(1, [0.5, 1, 2, 5]), { minLength: 2, maxLength: 5 }),
        async (models) => {
          const { clock, busy } = run(1, models);
          for (const model of busy) model.begin();
          await clock.advanceBy(5000);
          const used = busy.map(({ usedMs, weight }) => usedMs / weight);
          // What each may be ahead by is a run of its own.
          const longest = Math.max(...models.map(({ runMs, weight }) => runMs / weight));
          expect(Math.max(...used) - Math.min(...used)).toBeLessThanOrEqual(2 * longest + 1);
        },
      ),
      { numRuns: 30 },
    );
  });

  test('all get on with it, also on a device where several fit', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.array(anyModel(3, [1, 2]), { minLength: 2, maxLength: 6 }),
        async (capacity, models) => {
          const { clock, busy } = run(capacity, models);
          for (const model of busy) model.begin();
          await clock.advanceBy(6000);
          for (const { startsAtMs } of busy) {
            expect(startsAtMs.length).toBeGreaterThan(2);
            expect(startsAtMs.at(-1)).toBeGreaterThan(3000);
          }
        },
      ),
      { numRuns: 30 },
    );
  });

  test('a slow one and a fast one get equal time', async () => {
    const { clock, busy } = run(1, [
      { weight: 1, runMs: 1000, units: 1, instances: 1 },
      { weight: 1, runMs: 2, units: 1, instances: 1 },
    ]);
    for (const model of busy) model.begin();
    await clock.advanceBy(60_000);
    const [slow, fast] = busy.map(({ usedMs }) => usedMs);
    expect(slow).toBeGreaterThan(0);
    expect(Math.abs((slow ?? 0) - (fast ?? 0))).toBeLessThanOrEqual(2002);
  });
});

test('tells of each wait for the device once, however often it is asked meanwhile', () => {
  const turns = new DeviceTurns(new VirtualClock());
  let waits = 0;
  const share = { device: 'cpu', capacity: 1, units: 1, weight: 1, onTurn: () => {} };
  const first = turns.join({ ...share, model: 'first' });
  const onRefused = (): void => {
    waits += 1;
  };
  const second = turns.join({ ...share, model: 'second', onRefused });
  expect(first.start()).toBe(true);
  for (let ask = 0; ask < 3; ask++) expect(second.start()).toBe(false);
  expect(waits).toBe(1);
  second.withdraw();
  expect(second.start()).toBe(false);
  expect(waits).toBe(2);
});

test('a model that has the device to itself is never refused, whatever it runs at a time', async () => {
  const { clock, busy } = run(2, [
    { weight: 1, runMs: 10, units: 2, instances: 8 },
    { weight: 1, runMs: 10, units: 2, instances: 1 },
  ]);
  busy[0]?.begin();
  await clock.advanceBy(1000);
  expect(busy[0]?.refused).toBe(0);
  expect(busy[0]?.startsAtMs.length).toBeGreaterThanOrEqual(8 * 100);
});

test('a model that comes beside a long run waits a little, and not for the run to end', async () => {
  const { clock, busy } = run(1, [
    { weight: 1, runMs: 3_600_000, units: 1, instances: 1 },
    { weight: 1, runMs: 5, units: 1, instances: 1 },
    { weight: 1, runMs: 3_600_000, units: 1, instances: 1 },
    { weight: 1, runMs: 3_600_000, units: 1, instances: 1 },
  ]);
  busy[0]?.begin();
  await clock.advanceBy(100);
  for (const model of busy.slice(1)) model.begin();
  await clock.advanceBy(1000);
  for (const { startsAtMs } of busy) expect(startsAtMs.length).toBeGreaterThan(0);
  // Patient once, and not for each of its runs.
  expect(busy[1]?.startsAtMs.length).toBeGreaterThan(100);
});

test('a model that was idle is owed nothing for that time', async () => {
  const { clock, busy } = run(1, [
    { weight: 1, runMs: 10, units: 1, instances: 1 },
    { weight: 1, runMs: 10, units: 1, instances: 1 },
  ]);
  busy[0]?.begin();
  await clock.advanceBy(50_000);
  const before = busy[0]?.startsAtMs.length ?? 0;
  busy[1]?.begin();
  await clock.advanceBy(1000);
  const [first, second] = busy.map(({ startsAtMs }) => startsAtMs.length);
  expect((first ?? 0) - before).toBeGreaterThanOrEqual(45);
  expect(second).toBeGreaterThanOrEqual(45);
});

test('a model that no longer waits holds nobody up', async () => {
  const { clock, busy } = run(1, [
    { weight: 1, runMs: 100, units: 1, instances: 1 },
    { weight: 1, runMs: 100, units: 1, instances: 1 },
  ]);
  busy[0]?.begin();
  await clock.advanceBy(50);
  busy[1]?.begin();
  await clock.advanceBy(10);
  busy[1]?.stop();
  await clock.advanceBy(2000);
  expect(busy[1]?.startsAtMs).toHaveLength(0);
  expect(busy[0]?.startsAtMs.length).toBeGreaterThanOrEqual(20);
});

describe('batchers on one device', () => {
  /** A batcher of a model on a device for one run at a time. */
  function batcherOn(
    clock: VirtualClock,
    turns: DeviceTurns,
    name: string,
    runMs: number,
    weight = 1,
  ) {
    const ran = { ms: 0, prefetched: 0, rows: [] as number[] };
    let busyUntilMs = 0;
    const batcher: Batcher<number, number> = new Batcher<number, number>({
      settings: { mode: 'fixed', maxBatchSize: 4, maxQueueDelayMs: 0 },
      instances: 1,
      clock,
      turns: turns.join({
        device: 'gpu',
        capacity: 1,
        units: 1,
        model: name,
        weight,
        onTurn: () => batcher.wake(),
      }),
      run: (batch) => {
        busyUntilMs = Math.max(busyUntilMs, clock.nowMs()) + runMs;
        if (batch.prefetched) ran.prefetched += 1;
        ran.rows.push(batch.rows);
        return new Promise((resolve) => {
          clock.setTimer(busyUntilMs, () => {
            ran.ms += runMs;
            resolve({
              outcomes: batch.entries.map(({ payload }) => ({ ok: true, value: payload })),
            });
          });
        });
      },
    });
    const submit = (deadlineAtMs?: number) =>
      batcher.submit({
        rows: 1,
        lane: 'a',
        priority: 1,
        arrivedAtMs: clock.nowMs(),
        payload: 0,
        ...(deadlineAtMs !== undefined && { deadlineAtMs }),
      });
    return { batcher, ran, submit };
  }

  test('with a backlog share its time, and prefetch where nobody waits in vain', async () => {
    const clock = new VirtualClock();
    const turns = new DeviceTurns(clock);
    const slow = batcherOn(clock, turns, 'slow', 200);
    const fast = batcherOn(clock, turns, 'fast', 5);
    for (let i = 0; i < 400; i++) void slow.submit();
    for (let i = 0; i < 20_000; i++) void fast.submit();
    await clock.advanceBy(10_000);
    expect(slow.ran.ms).toBeGreaterThanOrEqual(4500);
    expect(fast.ran.ms).toBeGreaterThanOrEqual(4500);
    expect(fast.ran.prefetched).toBeGreaterThan(fast.ran.rows.length / 2);
  });

  test('that came to run beside each other share by weight all the same', async () => {
    const clock = new VirtualClock();
    const turns = new DeviceTurns(clock);
    const light = batcherOn(clock, turns, 'light', 50);
    const heavy = batcherOn(clock, turns, 'heavy', 10, 3);
    for (let i = 0; i < 2000; i++) void light.submit();
    await clock.advanceBy(100);
    for (let i = 0; i < 10_000; i++) void heavy.submit();
    await clock.advanceBy(10_000);
    expect(heavy.ran.ms / light.ran.ms).toBeGreaterThan(2.7);
    expect(heavy.ran.ms / light.ran.ms).toBeLessThan(3.3);
  });

  test('alone for long, leaves nothing to be made up for by the one that comes', async () => {
    const clock = new VirtualClock();
    const turns = new DeviceTurns(clock);
    const old = batcherOn(clock, turns, 'old', 10);
    const young = batcherOn(clock, turns, 'young', 10);
    for (let i = 0; i < 20_000; i++) void old.submit();
    await clock.advanceBy(20_000);
    const before = old.ran.ms;
    for (let i = 0; i < 2000; i++) void young.submit();
    await clock.advanceBy(1000);
    expect(old.ran.ms - before).toBeGreaterThan(400);
    expect(young.ran.ms).toBeGreaterThan(400);
  });

  test('what waits for a turn gathers, expires, and is given back', async () => {
    const clock = new VirtualClock();
    const turns = new DeviceTurns(clock);
    const other = batcherOn(clock, turns, 'other', 15);
    const waits = batcherOn(clock, turns, 'waits', 15);
    void other.submit();
    await clock.advanceBy(1);
    const expired = expect(waits.submit(5)).rejects.toMatchObject({ reason: 'expired' });
    const fates = [1, 2, 3].map(() => waits.submit());
    await clock.advanceBy(6);
    await expired;
    fates.push(waits.submit());
    await clock.advanceBy(40);
    expect(await Promise.all(fates)).toHaveLength(4);
    expect(waits.ran.rows).toEqual([4]);
    void other.submit();
    await clock.advanceBy(1);
    const returned = waits.submit();
    await clock.advanceBy(1);
    await Promise.all([
      expect(returned).rejects.toMatchObject({ reason: 'drained' }),
      waits.batcher.drain(),
    ]);
  });
});
