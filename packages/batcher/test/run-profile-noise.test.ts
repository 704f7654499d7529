import { describe, expect, test } from 'vitest';
import { RunProfile, type RunSample } from '../src/index.ts';

const SIZES = [1, 2, 4, 8, 16, 32, 64];

const MODELS: Readonly<Record<string, (rows: number) => number>> = {
  'a launch cost that many rows share': (rows) => 1.3 + 0.15 * rows,
  'a time proportional to the rows': (rows) => 5 * rows,
  'batching that hurts': (rows) => 25 * rows ** 1.11,
  'steps of eight rows': (rows) => 4 + 3 * Math.ceil(rows / 8),
};

/** Repeatable numbers in (0, 1). */
function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
}

/** A machine whose runs spread by 10 %, of which 3 % are 2 to 20 times as slow, and which is up to 3 times slower for seconds. */
function noisyMachine(timeMs: (rows: number) => number, seed: number) {
  const next = random(seed);
  let nowMs = 0;
  let slowness = 1;
  let changesAtMs = 0;
  const normal = (): number => Math.sqrt(-2 * Math.log(next())) * Math.cos(2 * Math.PI * next());
  return {
    /** The time of a run, and what it would have been at the machine's present speed without noise. */
    run(rows: number): { timeMs: number; fairMs: number } {
      if (nowMs >= changesAtMs) {
        slowness = slowness === 1 ? 1 + 2 * next() : 1;
        changesAtMs = nowMs - Math.log(next()) * 3_000;
      }
      const outlier = next() < 0.03 ? Math.min(20, 2 / next()) : 1;
      const fairMs = timeMs(rows) * slowness;
      const runMs = fairMs * Math.exp(0.1 * normal()) * outlier;
      nowMs += runMs;
      return { timeMs: runMs, fairMs };
    },
    warmUp: (): RunSample[] =>
      SIZES.map((rows) => ({ rows, timeMs: timeMs(rows) * Math.exp(0.1 * normal()) })),
  };
}

/** The size that is run next, tries included. */
function nextSize(profile: RunProfile): number {
  const probe = profile.probeSize(64);
  if (probe !== undefined) profile.probeStarted(probe);
  return probe ?? profile.bestSize(64) ?? 64;
}

/** Rows per millisecond over so many runs, as a share of the best fixed size's. */
function shareOfBest(
  profile: RunProfile,
  timeMs: (rows: number) => number,
  { seed, runs }: { seed: number; runs: number },
): number {
  const machine = noisyMachine(timeMs, seed);
  const bestPerMs = Math.max(...SIZES.map((rows) => rows / timeMs(rows)));
  let spentMs = 0;
  let neededMs = 0;
  for (let run = 0; run < runs; run += 1) {
    const rows = nextSize(profile);
    const { timeMs: runMs, fairMs } = machine.run(rows);
    profile.observe(rows, runMs);
    spentMs += fairMs;
    neededMs += (rows / bestPerMs) * (fairMs / timeMs(rows));
  }
  return neededMs / spentMs;
}

describe('on a machine with heavy noise and slow phases', () => {
  test.for(Object.entries(MODELS))('with %s, runs as fast as the best size', ([, timeMs]) => {
    const seeds = [1, 2, 3, 4, 5, 6, 7, 8];
    const shares = seeds.map((seed) => {
      const profile = new RunProfile(noisyMachine(timeMs, seed + 100).warmUp());
      return shareOfBest(profile, timeMs, { seed, runs: 2_000 });
    });
    const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length;
    expect(mean).toBeGreaterThan(0.97);
  });

  test.for(Object.entries(MODELS))(
    'with %s, a stored profile is as good from the first run on',
    ([, timeMs]) => {
      const learnt = new RunProfile(noisyMachine(timeMs, 7).warmUp());
      shareOfBest(learnt, timeMs, { seed: 8, runs: 2_000 });
      const restored = RunProfile.fromJSON(JSON.parse(JSON.stringify(learnt)));
      expect(shareOfBest(restored, timeMs, { seed: 9, runs: 20 })).toBeGreaterThan(0.9);
    },
  );
});

describe('a machine that changes', () => {
  const usualMs = (rows: number): number => 10 + rows;
  const learnt = (): RunProfile => {
    const profile = new RunProfile();
    for (let run = 0; run < 300; run += 1) {
      const rows = nextSize(profile);
      profile.observe(rows, usualMs(rows));
    }
    return profile;
  };

  test('is followed within three runs at all sizes when it gets twice as slow', () => {
    const profile = learnt();
    for (let run = 0; run < 3; run += 1) profile.observe(64, 2 * usualMs(64));
    for (const rows of SIZES) expect(profile.estimateMs(rows)).toBeCloseTo(2 * usualMs(rows), 5);
  });

  test('is followed within 400 runs when its knee moves', () => {
    const profile = learnt();
    expect(profile.bestSize(64)).toBe(64);
    const moved = (rows: number): number => usualMs(rows) * (rows > 32 ? 2 : 1);
    for (let run = 0; run < 400; run += 1) {
      const rows = nextSize(profile);
      profile.observe(rows, moved(rows));
    }
    expect(profile.bestSize(64)).toBe(32);
  });

  test('a stored profile of a machine twice as fast tells the shape at once', () => {
    const profile = RunProfile.fromJSON(learnt().toJSON());
    for (let run = 0; run < 3; run += 1) profile.observe(64, 2 * usualMs(64));
    expect(profile.bestSize(64)).toBe(64);
    expect(profile.estimateMs(8)).toBeCloseTo(2 * usualMs(8), 5);
  });

  test('a stored profile of another model is thrown away after three runs', () => {
    const profile = RunProfile.fromJSON(learnt().toJSON());
    for (let run = 0; run < 3; run += 1) profile.observe(64, 50 * usualMs(64));
    expect(profile.toJSON().samples.map(({ rows }) => rows)).toEqual([64]);
  });
});
