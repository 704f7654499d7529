import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RunProfile } from '../src/index.ts';

/** What a batch really takes; rows/s are best at 8. */
const timeMs = (rows: number): number => (rows <= 4 ? 4 + rows / 4 : 6);

const SIZES = [1, 4, 8];
const order = fc.array(fc.constantFrom(...SIZES), { minLength: 120, maxLength: 160 });

test('sizes that were measured wrong are put right, in whatever order sizes run', () => {
  const wrong = fc.constantFrom(0.2, 0.4, 1, 3, 5);
  fc.assert(
    fc.property(fc.tuple(wrong, wrong, wrong), order, (factors, runs) => {
      const seed = SIZES.map((rows, i) => ({ rows, timeMs: timeMs(rows) * (factors[i] ?? 1) }));
      const profile = new RunProfile(seed);
      // All sizes, so that each can be compared with the others.
      for (const rows of [...runs, ...SIZES, ...runs, ...SIZES, ...runs]) {
        profile.observe(rows, timeMs(rows));
      }
      expect(profile.bestSize(8)).toBe(8);
    }),
  );
});

test('the two that alternate are compared, and not taken for a machine that changes its speed', () => {
  const profile = new RunProfile([
    { rows: 4, timeMs: 5 },
    { rows: 8, timeMs: 20 },
  ]);
  for (let i = 0; i < 20; i++) {
    profile.observe(4, 5);
    profile.observe(8, 6);
  }
  expect(profile.estimateMs(4)).toBeCloseTo(5);
  expect(profile.estimateMs(8)).toBeCloseTo(6);
});

test('a machine that is three times slower now and then makes no size look wrong', () => {
  const phases = fc.array(fc.tuple(fc.integer({ min: 5, max: 40 }), fc.boolean()), {
    minLength: 10,
    maxLength: 20,
  });
  fc.assert(
    fc.property(phases, fc.infiniteStream(fc.constantFrom(...SIZES)), (all, sizes) => {
      const profile = new RunProfile(
        SIZES.map((rows) => ({ rows, timeMs: timeMs(rows), runs: 20 })),
      );
      for (const [runs, isSlow] of all) {
        for (const rows of sizes.take(runs)) profile.observe(rows, timeMs(rows) * (isSlow ? 3 : 1));
      }
      expect(profile.bestSize(8)).toBe(8);
    }),
  );
});
