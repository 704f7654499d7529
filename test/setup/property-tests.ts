import fc, { type IRawProperty, type Parameters } from 'fast-check';
import { vi } from 'vitest';

// How property tests choose their values. The seed is pinned, so that a test run says the same thing twice,
// on CI as here. To look for values that nobody has tried yet, with 20 times the runs:
//   QUERN_TEST_SEED=random QUERN_TEST_RUNS=20 npm test -- packages/batcher
// A failure names its seed; QUERN_TEST_SEED=<seed> repeats it.

const PINNED_SEED = 20_260_101;
const DEFAULT_RUNS = 100;

const seed = process.env['QUERN_TEST_SEED'] ?? PINNED_SEED;
const factor = Number(process.env['QUERN_TEST_RUNS'] ?? 1);

if (seed !== 'random') fc.configureGlobal({ seed: Number(seed) });

// A number of runs that a test states itself wins over a global one, so it is multiplied on its way in.
if (factor !== 1) {
  vi.setConfig({ testTimeout: 10_000 * factor });
  vi.doMock('fast-check', async (importOriginal) => {
    const original = await importOriginal<typeof import('fast-check')>();
    const assert = <T>(property: IRawProperty<T>, parameters: Parameters<T> = {}) =>
      original.assert(property, {
        ...parameters,
        numRuns: factor * (parameters.numRuns ?? DEFAULT_RUNS),
      });
    return { ...original, assert, default: { ...original.default, assert } };
  });
}
