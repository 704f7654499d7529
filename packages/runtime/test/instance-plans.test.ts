import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  candidatePlans,
  type InstancePlan,
  type MeasurePlanOptions,
  measurePlan,
} from '../src/index.ts';
import { choosePlan } from '../src/plan/choose-plan.ts';
import { bestRows } from '../src/plan/loaded-layout.ts';
import { fixtureModel, RUNNER_ENTRY, SOURCE_ARGS } from './harness/runners.ts';

const cores = fc.integer({ min: 1, max: 256 });
const numberOrAuto = fc.oneof(fc.constant('auto' as const), fc.integer({ min: 1, max: 64 }));

describe('the layouts that are tried', () => {
  test('keep to what is given and to the cores, and hold both extremes', () => {
    fc.assert(
      fc.property(cores, numberOrAuto, numberOrAuto, (available, count, threads) => {
        const plans = candidatePlans({ count, threads }, available);
        expect(plans.length).toBeGreaterThan(0);
        expect(new Set(plans.map((plan) => JSON.stringify(plan))).size).toBe(plans.length);
        for (const plan of plans) {
          if (count !== 'auto') expect(plan.instances).toBe(count);
          if (threads !== 'auto') expect(plan.threads).toBe(threads);
          const given = (count === 'auto' ? 1 : count) * (threads === 'auto' ? 1 : threads);
          expect(plan.instances * plan.threads).toBeLessThanOrEqual(Math.max(available, given));
        }
        if (count === 'auto' && threads === 'auto') {
          expect(plans).toContainEqual({ instances: 1, threads: available });
          expect(plans).toContainEqual({ instances: available, threads: 1 });
        }
      }),
    );
    expect(candidatePlans({ count: 'auto', threads: 'auto' }, 2)).toEqual([
      { instances: 1, threads: 2 },
      { instances: 2, threads: 1 },
    ]);
  });
});

/** A choice over layouts with known rates, which noise lowers by some share in each round. */
async function chooseAmong(rates: readonly (number | 'fails')[], noise: () => number) {
  const open = { now: 0, most: 0 };
  const candidates = rates.map((_, i): InstancePlan => ({ instances: 2 ** i, threads: 1 }));
  const chosen = await choosePlan({
    candidates,
    signal: new AbortController().signal,
    open: async (plan) => {
      const rate = rates[candidates.indexOf(plan)] ?? 'fails';
      if (rate === 'fails') throw new Error('does not load');
      open.now += 1;
      open.most = Math.max(open.most, open.now);
      return {
        measure: async () => rate * (1 - noise()),
        close: async () => {
          open.now -= 1;
        },
      };
    },
  });
  return { chosen, open };
}

describe('the layout that is chosen', () => {
  const rate = fc.oneof(fc.integer({ min: 1, max: 1000 }), fc.constant('fails' as const));

  test('is about the best, and none is left open', async () => {
    const rates = fc.array(rate, { minLength: 2, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(rates, async (all) => {
        const { chosen, open } = await chooseAmong(all, () => 0);
        expect(open.now).toBe(0);
        expect(open.most).toBeLessThanOrEqual(2);
        const loaded = all.filter((each) => each !== 'fails');
        expect(chosen.isComplete).toBe(loaded.length === all.length);
        if (loaded.length < 2) {
          expect(chosen.plan).toBeUndefined();
          return;
        }
        const index = Math.log2(chosen.plan?.instances ?? 0);
        // Each of the comparisons may keep one that is 5 % behind, for its fewer processes.
        expect(all[index]).toBeGreaterThanOrEqual(Math.max(...loaded) / 1.0501);
      }),
    );
  });

  test('is not swayed by a machine that is busy for a while', async () => {
    let measures = 0;
    // Slow for the first layout in all rounds but one, and never for the second.
    const { chosen } = await chooseAmong([100, 60], () =>
      measures++ % 2 === 0 && measures !== 5 ? 0.5 : 0,
    );
    expect(chosen.plan?.instances).toBe(1);
    const noisy = await chooseAmong([100, 160], () => (measures++ % 4 === 0 ? 0 : 0.3));
    expect(noisy.chosen.plan?.instances).toBe(2);
  });

  test('has the smallest batch that is about as good as the best', () => {
    const profile = [1, 2, 4, 8].map((rows) => ({ rows, timeMs: rows < 4 ? 10 : rows * 2.5 }));
    expect(bestRows(profile)).toBe(4);
    expect(bestRows([])).toBe(1);
  });
});

describe('measuring a real model', () => {
  const wanted = { count: 'auto', threads: 'auto' } as const;

  function measure(options: Partial<MeasurePlanOptions> = {}) {
    const stop = new AbortController();
    onTestFinished(() => stop.abort());
    return measurePlan({
      runnerEntry: { entry: RUNNER_ENTRY, execArgv: SOURCE_ARGS },
      model: fixtureModel('conv'),
      wanted,
      cores: 2,
      budgetMs: 60_000,
      signal: stop.signal,
      ...options,
    });
  }

  test('compares what there is, in processes that are gone afterwards', async () => {
    const plan = await measure();
    expect(plan).toMatchObject({ isComplete: true });
    expect(plan.instances * plan.threads).toBe(2);
    expect(plan.trials.map(({ instances, threads }) => [instances, threads])).toEqual([
      [1, 2],
      [2, 1],
    ]);
    for (const { rowsPerSecond } of plan.trials) expect(rowsPerSecond).toBeGreaterThan(0);
  });

  test('gives one instance where there is nothing to choose, or nothing could be measured', async () => {
    expect(await measure({ cores: 1 })).toMatchObject({ instances: 1, threads: 1, trials: [] });
    expect(await measure({ budgetMs: 1 })).toMatchObject({
      instances: 1,
      threads: 1,
      isComplete: false,
      unmeasured: expect.stringContaining('instances.measureBudgetMs'),
    });
    const cold = fixtureModel('conv', { warmup: { enabled: false, budgetMs: 1 } });
    expect(await measure({ model: cold })).toMatchObject({
      instances: 1,
      threads: 1,
      unmeasured: 'without a warm-up there is no input to run',
    });
  });
});
