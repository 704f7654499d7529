import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type BatchingMode,
  decide,
  type InstanceView,
  type LaneView,
  RunProfile,
  type Situation,
} from '../src/index.ts';

const lane: fc.Arbitrary<LaneView> = fc
  .record({
    name: fc.constantFrom('a', 'b', 'c'),
    rows: fc.integer({ min: 1, max: 40 }),
    oldestArrivedAtMs: fc.integer({ min: 0, max: 100 }),
    deadlineInMs: fc.option(fc.integer({ min: 1, max: 500 }), { nil: undefined }),
    handicapMs: fc.constantFrom(-2_000, 0, 2_000),
    alone: fc.boolean(),
  })
  .map(({ deadlineInMs, handicapMs, ...view }) => ({
    ...view,
    effectiveArrivalMs: view.oldestArrivedAtMs + handicapMs,
    earliestDeadlineAtMs:
      deadlineInMs === undefined ? Number.POSITIVE_INFINITY : view.oldestArrivedAtMs + deadlineInMs,
  }));

const instance: fc.Arbitrary<InstanceView> = fc.oneof(
  fc.constant<InstanceView>({
    state: 'idle',
    expectedEndMs: undefined,
    expectedRunMs: undefined,
  }),
  fc.record({
    state: fc.constantFrom<'running' | 'full'>('running', 'full'),
    expectedEndMs: fc.option(fc.integer({ min: 0, max: 300 }), { nil: undefined }),
    expectedRunMs: fc.option(fc.integer({ min: 1, max: 200 }), { nil: undefined }),
  }),
);

const situations: fc.Arbitrary<Situation<LaneView>> = fc
  .record({
    lanes: fc.uniqueArray(lane, { minLength: 1, maxLength: 3, selector: ({ name }) => name }),
    instances: fc.array(instance, { maxLength: 4 }),
    mode: fc.constantFrom<BatchingMode>('auto', 'fixed', 'off'),
    maxBatchSize: fc.integer({ min: 1, max: 32 }),
    maxQueueDelayMs: fc.constantFrom(0, 5, 50),
    msPerRun: fc.option(fc.integer({ min: 1, max: 50 }), { nil: undefined }),
    draining: fc.boolean(),
    shortestTimeLimitMs: fc.constantFrom(5, 100, Number.POSITIVE_INFINITY),
  })
  .map(({ mode, maxBatchSize, maxQueueDelayMs, msPerRun, ...rest }) => {
    const samples = [1, 2, 4, 8, 16, 32].map((rows) => ({ rows, timeMs: (msPerRun ?? 0) + rows }));
    const profile = new RunProfile(msPerRun === undefined ? [] : samples);
    return {
      ...rest,
      profiles: { of: () => profile },
      settings: { mode, maxBatchSize, maxQueueDelayMs },
    };
  });

test('with an idle instance waiting longer never turns "run" into "wait"', () => {
  fc.assert(
    fc.property(
      situations,
      fc.integer({ min: 100, max: 300 }),
      fc.integer({ min: 1, max: 1_000 }),
      (situation, nowMs, laterMs) => {
        // A lane whose deadline comes near takes a prefetch place from a full one, and waits for more.
        if (!situation.instances.some(({ state }) => state === 'idle')) return;
        const now = decide(nowMs, situation);
        if (now.kind === 'run') expect(decide(nowMs + laterMs, situation).kind).toBe('run');
      },
    ),
    { numRuns: 1_000 },
  );
});

test('what it waits for comes: at the time that it names it runs', () => {
  fc.assert(
    fc.property(situations, fc.integer({ min: 100, max: 300 }), (situation, nowMs) => {
      const decision = decide(nowMs, situation);
      if (decision.kind === 'run' || decision.untilMs === undefined) return;
      expect(decision.untilMs).toBeGreaterThan(nowMs);
      expect(decide(decision.untilMs, situation).kind).toBe('run');
    }),
    { numRuns: 1_000 },
  );
});

test('with an idle instance nothing waits for ever, and not at all without a delay', () => {
  fc.assert(
    fc.property(situations, fc.integer({ min: 100, max: 300 }), (situation, nowMs) => {
      if (!situation.instances.some(({ state }) => state === 'idle')) return;
      const decision = decide(nowMs, situation);
      if (decision.kind === 'run') return;
      expect(situation.settings.maxQueueDelayMs).toBeGreaterThan(0);
      const oldestMs = Math.min(
        ...[...situation.lanes].map(({ oldestArrivedAtMs }) => oldestArrivedAtMs),
      );
      expect(decision.untilMs).toBeLessThanOrEqual(oldestMs + situation.settings.maxQueueDelayMs);
    }),
    { numRuns: 1_000 },
  );
});

test('a batch is within its limits, for an instance that has room', () => {
  fc.assert(
    fc.property(situations, fc.integer({ min: 100, max: 300 }), (situation, nowMs) => {
      const decision = decide(nowMs, situation);
      if (decision.kind === 'wait') return;
      const { maxBatchSize, mode } = situation.settings;
      expect(decision.instance.state).not.toBe('full');
      expect(decision.maxRows).toBeGreaterThanOrEqual(1);
      if (!decision.lane.alone) expect(decision.maxRows).toBeLessThanOrEqual(maxBatchSize);
      if (mode === 'off') expect(decision.maxEntries).toBe(1);
    }),
    { numRuns: 1_000 },
  );
});
