import { describe, expect, test } from 'vitest';
import {
  type BatchingSettings,
  decide,
  type InstanceView,
  type LaneView,
  RunProfile,
  type RunSample,
} from '../src/index.ts';

const IDLE: InstanceView = { state: 'idle', expectedEndMs: undefined, expectedRunMs: undefined };
const FULL: InstanceView = { state: 'full', expectedEndMs: 50, expectedRunMs: 50 };

function running(expectedEndMs?: number, expectedRunMs?: number): InstanceView {
  return { state: 'running', expectedEndMs, expectedRunMs };
}

function lane(name: string, rows: number, more: Partial<LaneView> = {}): LaneView {
  const oldestArrivedAtMs = more.oldestArrivedAtMs ?? 0;
  return {
    name,
    rows,
    oldestArrivedAtMs,
    effectiveArrivalMs: oldestArrivedAtMs,
    earliestDeadlineAtMs: Number.POSITIVE_INFINITY,
    alone: false,
    ...more,
  };
}

interface Given {
  readonly lanes: readonly LaneView[];
  readonly instances?: readonly InstanceView[];
  readonly settings?: Partial<BatchingSettings>;
  readonly seed?: readonly RunSample[];
  readonly draining?: boolean;
}

function decideAt(nowMs: number, given: Given): unknown {
  const profile = new RunProfile(given.seed ?? []);
  const decision = decide(nowMs, {
    lanes: given.lanes,
    instances: given.instances ?? [IDLE],
    profiles: { of: () => profile },
    settings: { mode: 'fixed', maxBatchSize: 8, maxQueueDelayMs: 0, ...given.settings },
    draining: given.draining ?? false,
  });
  if (decision.kind === 'wait') return { waitUntilMs: decision.untilMs };
  const { lane: chosen, reason, maxRows } = decision;
  return { run: chosen.name, reason, maxRows };
}

describe('with an idle instance', () => {
  test('without a delay it runs at once what is there', () => {
    expect(decideAt(0, { lanes: [lane('a', 3)] })).toEqual({
      run: 'a',
      reason: 'idle',
      maxRows: 8,
    });
  });

  test('a lane that has reached the maximum is full', () => {
    expect(decideAt(0, { lanes: [lane('a', 20)] })).toMatchObject({ reason: 'full', maxRows: 8 });
  });

  test('with a delay it waits until the oldest entry has waited so long', () => {
    const given = {
      lanes: [lane('a', 3, { oldestArrivedAtMs: 100 })],
      settings: { maxQueueDelayMs: 10 },
    };
    expect(decideAt(104, given)).toEqual({ waitUntilMs: 110 });
    expect(decideAt(110, given)).toMatchObject({ run: 'a', reason: 'delay' });
  });

  test('it waits for the lane that is ready first', () => {
    const lanes = [lane('a', 3, { oldestArrivedAtMs: 7 }), lane('b', 1, { oldestArrivedAtMs: 5 })];
    expect(decideAt(8, { lanes, settings: { maxQueueDelayMs: 10 } })).toEqual({ waitUntilMs: 15 });
  });

  test('a deadline starts the batch early enough for its run', () => {
    const given = {
      lanes: [lane('a', 4, { earliestDeadlineAtMs: 100 })],
      settings: { maxQueueDelayMs: 1_000 },
      seed: [{ rows: 4, timeMs: 40 }],
    };
    // 100 less the run of 40, a tenth of it, and 2.
    expect(decideAt(0, given)).toEqual({ waitUntilMs: 54 });
    expect(decideAt(54, given)).toMatchObject({ run: 'a', reason: 'deadline' });
  });

  test('half of the time is kept for a run of unknown length', () => {
    const given = {
      lanes: [lane('a', 4, { oldestArrivedAtMs: 20, earliestDeadlineAtMs: 100 })],
      settings: { maxQueueDelayMs: 1_000 },
    };
    expect(decideAt(20, given)).toEqual({ waitUntilMs: 60 });
  });

  test('with batching off one entry runs', () => {
    expect(decideAt(0, { lanes: [lane('a', 5)], settings: { mode: 'off' } })).toEqual({
      run: 'a',
      reason: 'full',
      maxRows: 1,
    });
  });

  test('draining waits for nothing', () => {
    const given = { lanes: [lane('a', 3)], settings: { maxQueueDelayMs: 10 }, draining: true };
    expect(decideAt(0, given)).toMatchObject({ run: 'a', reason: 'drain' });
  });
});

describe('between lanes', () => {
  test('the oldest effective arrival goes first', () => {
    const lanes = [lane('a', 8, { oldestArrivedAtMs: 7 }), lane('b', 1, { oldestArrivedAtMs: 5 })];
    expect(decideAt(8, { lanes })).toMatchObject({ run: 'b' });
  });

  test('a deadline that would be missed goes before an older lane, one far away does not', () => {
    const seed = [{ rows: 8, timeMs: 40 }];
    const old = lane('old', 8, { oldestArrivedAtMs: 0 });
    const urgent = lane('urgent', 8, { oldestArrivedAtMs: 50, earliestDeadlineAtMs: 130 });
    const relaxed = lane('relaxed', 8, { oldestArrivedAtMs: 50, earliestDeadlineAtMs: 300 });
    expect(decideAt(60, { lanes: [old, urgent], seed })).toMatchObject({ run: 'urgent' });
    expect(decideAt(60, { lanes: [old, relaxed], seed })).toMatchObject({ run: 'old' });
  });

  test('of two deadlines the earlier goes first', () => {
    const a = lane('a', 1, { oldestArrivedAtMs: 1, earliestDeadlineAtMs: 40 });
    const b = lane('b', 1, { oldestArrivedAtMs: 2, earliestDeadlineAtMs: 30 });
    const seed = [{ rows: 1, timeMs: 20 }];
    expect(decideAt(5, { lanes: [a, b], seed })).toMatchObject({ run: 'b' });
  });

  test('past its bound an old lane goes before any deadline', () => {
    const old = lane('old', 1, { oldestArrivedAtMs: 0 });
    const urgent = lane('urgent', 1, { oldestArrivedAtMs: 11_000, earliestDeadlineAtMs: 11_050 });
    expect(decideAt(11_010, { lanes: [urgent, old] })).toMatchObject({ run: 'old' });
  });
});

describe('with every instance busy', () => {
  test('the prefetch place takes a full batch', () => {
    const given = { lanes: [lane('a', 8)], instances: [running()] };
    expect(decideAt(0, given)).toMatchObject({ run: 'a', reason: 'full' });
  });

  test('it does not take a batch that may still grow', () => {
    const given = { lanes: [lane('a', 7)], instances: [running()] };
    expect(decideAt(0, given)).toEqual({ waitUntilMs: undefined });
  });

  test('shortly before the run ends it takes what is there', () => {
    const given = { lanes: [lane('a', 7)], instances: [running(100, 100)] };
    expect(decideAt(0, given)).toEqual({ waitUntilMs: 98 });
    expect(decideAt(98, given)).toMatchObject({ run: 'a', reason: 'idle' });
  });

  test('a run too short for a lead has none', () => {
    const given = { lanes: [lane('a', 7)], instances: [running(4, 4)] };
    expect(decideAt(3.9, given)).toEqual({ waitUntilMs: undefined });
  });

  test('nor is it taken shortly before the end if the batch would wait on a free instance', () => {
    const given = {
      lanes: [lane('a', 7, { oldestArrivedAtMs: 95 })],
      instances: [running(100, 100)],
      settings: { maxQueueDelayMs: 10 },
    };
    expect(decideAt(99, given)).toEqual({ waitUntilMs: undefined });
  });

  test('it is kept for an older lane that is not full', () => {
    const lanes = [lane('old', 1), lane('full', 8, { oldestArrivedAtMs: 5 })];
    expect(decideAt(10, { lanes, instances: [running(100, 90)] })).toEqual({ waitUntilMs: 98 });
  });

  test('the instance that ends first gets the batch', () => {
    const first = running(40, 40);
    const decision = decide(0, {
      lanes: [lane('a', 8)],
      instances: [running(), FULL, running(90, 90), first],
      profiles: { of: () => new RunProfile() },
      settings: { mode: 'fixed', maxBatchSize: 8, maxQueueDelayMs: 0 },
      draining: false,
    });
    expect(decision).toMatchObject({ kind: 'run', instance: first });
  });

  test('nothing runs with every place taken, or without instances', () => {
    expect(decideAt(0, { lanes: [lane('a', 8)], instances: [FULL] })).toEqual({
      waitUntilMs: undefined,
    });
    expect(decideAt(0, { lanes: [lane('a', 8)], instances: [] })).toEqual({
      waitUntilMs: undefined,
    });
  });
});

describe('mode auto', () => {
  const hurts = [1, 2, 4, 8].map((rows) => ({ rows, timeMs: 25 * rows ** 1.2 }));
  const pays = [1, 2, 4, 8].map((rows) => ({ rows, timeMs: 10 + rows }));

  test('runs one at a time where batching hurts', () => {
    expect(decideAt(0, { lanes: [lane('a', 8)], settings: { mode: 'auto' }, seed: hurts })).toEqual(
      {
        run: 'a',
        reason: 'knee',
        maxRows: 1,
      },
    );
  });

  test('and waits for no others then', () => {
    const settings = { mode: 'auto', maxQueueDelayMs: 50 } as const;
    expect(decideAt(0, { lanes: [lane('a', 1)], settings, seed: hurts })).toMatchObject({
      run: 'a',
    });
    expect(decideAt(0, { lanes: [lane('a', 1)], settings, seed: pays })).toEqual({
      waitUntilMs: 50,
    });
  });

  test('fills up where batching pays', () => {
    expect(decideAt(0, { lanes: [lane('a', 9)], settings: { mode: 'auto' }, seed: pays })).toEqual({
      run: 'a',
      reason: 'full',
      maxRows: 8,
    });
  });

  test('fills up while nothing is known', () => {
    expect(decideAt(0, { lanes: [lane('a', 9)], settings: { mode: 'auto' } })).toMatchObject({
      reason: 'full',
      maxRows: 8,
    });
  });

  test('cuts a group that runs clearly faster in a smaller batch', () => {
    // Padded to the next power of two: 5 rows take as long as 8.
    const seed = [1, 2, 4].map((rows) => ({ rows, timeMs: 10 * rows }));
    const steps = [...seed, { rows: 5, timeMs: 80 }, { rows: 8, timeMs: 60 }];
    expect(
      decideAt(0, { lanes: [lane('a', 5)], settings: { mode: 'auto' }, seed: steps }),
    ).toMatchObject({ maxRows: 1 });
  });
});
