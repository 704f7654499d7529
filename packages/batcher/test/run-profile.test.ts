import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LaneProfiles, RunProfile } from '../src/index.ts';

const SIZES = [1, 2, 4, 8, 16, 32, 64];

/** Milliseconds for a batch: a launch cost and a cost per row, as a dense network on a GPU has. */
const overhead = (rows: number): number => 10 + 0.1 * rows;
const proportional = (rows: number): number => 5 * rows;
const hurting = (rows: number): number => 25 * rows ** 1.2;
/** Rows/s peak at 16. */
const peaked = (rows: number): number => 10 + rows + Math.max(0, rows - 16) ** 1.5;

function learned(
  timeMs: (rows: number) => number,
  sizes: readonly number[] = SIZES,
  batchOverheadMs = 0,
): RunProfile {
  const profile = new RunProfile([], batchOverheadMs);
  for (const rows of sizes)
    for (let run = 0; run < 5; run += 1) profile.observe(rows, timeMs(rows));
  return profile;
}

describe('the best size', () => {
  test.for([
    ['a launch cost that many rows share', overhead, 64],
    ['a time proportional to the rows', proportional, 1],
    ['batching that hurts', hurting, 1],
    ['rows/s that peak', peaked, 16],
  ] as const)('with %s', ([, timeMs, best]) => {
    expect(learned(timeMs).bestSize(64)).toBe(best);
  });

  test('is the smallest of those that are about equal', () => {
    const profile = new RunProfile();
    for (let run = 0; run < 30; run += 1) {
      profile.observe(8, 8.05);
      profile.observe(64, 64);
      profile.observe(2, 2.2);
    }
    expect(profile.bestSize(64)).toBe(8);
  });

  test.for([
    ['short runs', 0.05, 64],
    ['runs of some milliseconds', 5, 32],
    ['runs of a second', 1000, 1],
  ] as const)('counts what a batch costs outside of its run: %s', ([, msPerRow, best]) => {
    expect(learned((rows) => msPerRow * rows, SIZES, 1).bestSize(64)).toBe(best);
  });

  test('is never above the maximum', () => {
    expect(learned(overhead).bestSize(16)).toBe(16);
  });

  test('is unknown until a batch near the maximum was seen', () => {
    expect(learned(overhead, [1, 2, 4]).bestSize(64)).toBeUndefined();
    expect(learned(overhead, [1, 2, 4, 62]).bestSize(64)).toBe(62);
  });

  test('whatever the profile, it is within 5 % of the best size that was seen', () => {
    const times = fc.uniqueArray(
      fc.tuple(fc.constantFrom(...SIZES), fc.double({ min: 0.01, max: 1_000, noNaN: true })),
      { minLength: 1, selector: ([rows]) => rows },
    );
    fc.assert(
      fc.property(times, (samples) => {
        const all = [[64, 500] as const, ...samples.filter(([rows]) => rows !== 64)];
        const seed = all.map(([rows, timeMs]) => ({ rows, timeMs }));
        for (const overheadMs of [0, 1]) {
          const rowsPerMs = ([rows, timeMs]: readonly [number, number]): number =>
            rows / (timeMs + overheadMs);
          const size = new RunProfile(seed, overheadMs).bestSize(64);
          const chosen = all.find(([rows]) => rows === size) ?? [0, 1];
          expect(rowsPerMs(chosen)).toBeGreaterThanOrEqual(
            0.9499 * Math.max(...all.map(rowsPerMs)),
          );
        }
      }),
    );
  });
});

describe('estimates', () => {
  test('are exact where measured, in between on a line, beyond in proportion', () => {
    const profile = learned((rows) => 10 + rows, [1, 8, 16]);
    expect(profile.estimateMs(8)).toBeCloseTo(18);
    expect(profile.estimateMs(12)).toBeCloseTo(22);
    expect(profile.estimateMs(32)).toBeCloseTo(52);
    expect(new RunProfile().estimateMs(4)).toBeUndefined();
  });

  test('one slow run in five changes nothing, wherever it comes', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 30 }),
        fc.double({ min: 10, max: 1e6 }),
        (at, slowMs) => {
          const profile = new RunProfile();
          for (let run = 0; run <= at; run += 1) profile.observe(8, 10);
          profile.observe(8, slowMs);
          expect(profile.estimateMs(8)).toBeCloseTo(10);
        },
      ),
    );
  });

  test('a slow first run is forgotten with the second', () => {
    const profile = new RunProfile();
    profile.observe(8, 634);
    profile.observe(8, 2);
    expect(profile.estimateMs(8)).toBe(2);
  });

  test('a lasting change is followed', () => {
    const profile = learned(() => 10, [8]);
    for (let run = 0; run < 20; run += 1) profile.observe(8, 30);
    expect(profile.estimateMs(8)).toBeGreaterThan(29);
  });

  test('the first real run replaces what was measured at warm-up', () => {
    const profile = new RunProfile([{ rows: 8, timeMs: 5 }]);
    profile.observe(8, 9);
    expect(profile.estimateMs(8)).toBe(9);
  });

  test('times of a clock that was set are passed over', () => {
    const profile = learned(() => 10, [8]);
    for (const timeMs of [-5, 0, Number.NaN, Number.POSITIVE_INFINITY]) profile.observe(8, timeMs);
    expect(profile.estimateMs(8)).toBe(10);
  });
});

/** Runs full batches of the best size, or those to try out. Returns the rows of each. */
function runOn(profile: RunProfile, timeMs: (rows: number) => number, runs: number): number[] {
  const rowsRun: number[] = [];
  for (let run = 0; run < runs; run += 1) {
    const probe = profile.probeSize(64);
    if (probe !== undefined) profile.probeStarted(probe);
    const rows = probe ?? profile.bestSize(64) ?? 64;
    profile.observe(rows, timeMs(rows));
    rowsRun.push(rows);
  }
  return rowsRun;
}

describe('trying sizes out', () => {
  test('finds out when a size near the best has become better', () => {
    const profile = learned(overhead);
    runOn(profile, (rows) => (rows === 32 ? 2 : overhead(rows)), 2_000);
    expect(profile.bestSize(64)).toBe(32);
  });

  test('looks at the maximum again where the best size is just below it', () => {
    const profile = new RunProfile();
    // The maximum ran while the machine was busy with other things.
    for (let run = 0; run < 20; run += 1) profile.observe(64, 40);
    for (let run = 0; run < 20; run += 1) profile.observe(60, 18);
    runOn(profile, overhead, 5_000);
    expect(profile.bestSize(64)).toBe(64);
  });

  test('costs about a hundredth of the time once all sizes are known', () => {
    const steep = (rows: number): number => 10 * rows ** 3;
    const profile = learned(steep);
    const rowsRun = runOn(profile, steep, 20_000);
    const totalMs = rowsRun.reduce((sum, rows) => sum + steep(rows), 0);
    const idealMs = rowsRun.reduce((sum, rows) => sum + rows * steep(1), 0);
    expect(totalMs / idealMs).toBeLessThan(1.012);
    expect(rowsRun.some((rows) => rows > 1)).toBe(true);
  });

  test('the survey goes to the farthest unknown size first, and ends', () => {
    const profile = new RunProfile();
    for (let run = 0; run < 2; run += 1) profile.observe(64, 10);
    const tried: number[] = [];
    for (let run = 0; run < 150; run += 1) {
      const size = profile.probeSize(64);
      if (size !== undefined) {
        profile.probeStarted(size);
        tried.push(size);
      }
      profile.observe(size ?? 64, 10);
    }
    expect(tried.slice(0, 3)).toEqual([1, 1, 8]);
    expect(tried.toSorted((a, b) => a - b)).toEqual([1, 1, 2, 2, 4, 4, 8, 8, 16, 16, 32, 32]);
  });

  test('at most two sizes are tried at a time', () => {
    const profile = learned(overhead, [64]);
    for (const size of [1, 8]) {
      expect(profile.probeSize(64)).toBe(size);
      profile.probeStarted(size);
    }
    expect(profile.probeSize(64)).toBeUndefined();
  });

  test('a size that cannot be formed is given up', () => {
    const profile = new RunProfile();
    let tries = 0;
    for (let run = 0; run < 2_000; run += 1) {
      const size = profile.probeSize(4);
      if (size === 1) tries += 1;
      if (size !== undefined) profile.probeStarted(size);
      // Every entry has two rows, so a batch of one row never comes.
      profile.observe(Math.max(2, size ?? 4), 10);
    }
    expect(tries).toBeGreaterThan(0);
    expect(tries).toBeLessThan(20);
  });
});

describe('storing', () => {
  test('a profile comes back with the same estimates', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.tuple(
            fc.integer({ min: 1, max: 512 }),
            fc.double({ min: 0.1, max: 1e4, noNaN: true }),
          ),
        ),
        (runs) => {
          const profile = new RunProfile();
          for (const [rows, timeMs] of runs) profile.observe(rows, timeMs);
          const restored = RunProfile.fromJSON(JSON.parse(JSON.stringify(profile)));
          for (const rows of [1, 3, 17, 64, 512]) {
            expect(restored.estimateMs(rows) ?? 0).toBeCloseTo(profile.estimateMs(rows) ?? 0, 5);
          }
        },
      ),
    );
  });

  test('lanes are kept apart, new ones start from the seed', () => {
    const profiles = new LaneProfiles([{ rows: 8, timeMs: 10 }]);
    profiles.of('short').observe(8, 4);
    const restored = LaneProfiles.fromJSON(JSON.parse(JSON.stringify(profiles)));
    expect(restored.of('short').estimateMs(8)).toBe(4);
    expect(restored.of('long').estimateMs(8)).toBe(10);
  });

  test('the number of lanes is bounded, and one in use is not forgotten', () => {
    const profiles = new LaneProfiles();
    profiles.of('in use').observe(1, 7);
    for (let lane = 0; lane < 1_000; lane += 1) {
      profiles.of(String(lane)).observe(1, 1);
      expect(profiles.of('in use').estimateMs(1)).toBe(7);
    }
    expect(Object.keys(profiles.toJSON().lanes).length).toBeLessThanOrEqual(256);
  });
});
