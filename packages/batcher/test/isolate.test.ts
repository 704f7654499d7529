import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type IsolateOptions,
  type IsolateResult,
  type Outcome,
  runIsolating,
} from '../src/index.ts';

const BISECTABLE: IsolateOptions = { bisectable: () => true };

interface Attempt {
  readonly result: IsolateResult<number>;
  /** The entries of each run, the first included. */
  readonly runs: readonly (readonly number[])[];
}

/** Runs 0..n-1, where a run fails if `failing` says so. */
async function isolate(
  n: number,
  failing: (entries: readonly number[], run: number) => unknown,
  options: IsolateOptions = BISECTABLE,
): Promise<Attempt> {
  const runs: (readonly number[])[] = [];
  const run = async (entries: readonly number[]): Promise<Outcome<number>[]> => {
    runs.push(entries);
    const error = failing(entries, runs.length);
    if (error !== undefined) throw error;
    return entries.map((entry) => ({ ok: true, value: entry }));
  };
  const result = await runIsolating([...Array(n).keys()], run, options);
  return { result, runs };
}

const error = new Error('bad entry');
const failsWith = (guilty: ReadonlySet<number>) => (entries: readonly number[]) =>
  entries.some((entry) => guilty.has(entry)) ? error : undefined;

const batches = fc
  .integer({ min: 1, max: 70 })
  .chain((n) => fc.tuple(fc.constant(n), fc.uniqueArray(fc.integer({ min: 0, max: n - 1 }))));

describe('any set of guilty entries', () => {
  test.for([
    ['without a control run', BISECTABLE],
    ['with a control run that succeeds', { ...BISECTABLE, control: async () => {} }],
  ] as const)('is found within the bound, %s', async ([, options]) => {
    await fc.assert(
      fc.asyncProperty(batches, async ([n, guilty]) => {
        const { result } = await isolate(n, failsWith(new Set(guilty)), options);
        expect(result.outcomes).toHaveLength(n);
        result.outcomes.forEach((outcome, index) => {
          expect(outcome).toEqual(
            guilty.includes(index) ? { ok: false, error } : { ok: true, value: index },
          );
        });
        expect(result.reruns).toBeLessThanOrEqual(2 * guilty.length * Math.ceil(Math.log2(n)));
        expect(result.verdict).toBe(guilty.length === 0 ? 'clean' : 'isolated');
      }),
    );
  });

  test('each failed alone, with its own error', async () => {
    const { result, runs } = await isolate(16, (entries) =>
      entries.includes(3) || entries.includes(12) ? new Error(`in ${entries}`) : undefined,
    );
    expect(result.outcomes[3]).toMatchObject({ error: { message: 'in 3' } });
    expect(result.outcomes[12]).toMatchObject({ error: { message: 'in 12' } });
    expect(runs).toContainEqual([3]);
  });
});

describe('a fault of the model', () => {
  test('costs three reruns, whatever the size', async () => {
    const control = () => Promise.reject(error);
    const { result, runs } = await isolate(64, () => error, { ...BISECTABLE, control });
    expect(result.verdict).toBe('model_fault');
    expect(result.reruns).toBe(3);
    expect(runs.map((entries) => entries.length)).toEqual([64, 32, 32]);
    expect(result.outcomes).toEqual(Array(64).fill({ ok: false, error }));
  });

  test('is not suspected once something went through', async () => {
    let controls = 0;
    const control = async (): Promise<void> => {
      controls += 1;
      throw error;
    };
    const guilty = new Set([8, 9, 10, 11, 12, 13, 14, 15]);
    const { result } = await isolate(16, failsWith(guilty), { ...BISECTABLE, control });
    expect(controls).toBe(0);
    expect(result.verdict).toBe('isolated');
  });
});

describe('other faults', () => {
  test('one that passes fails nobody', async () => {
    const { result } = await isolate(8, (_entries, run) => (run === 1 ? error : undefined));
    expect(result.outcomes.every(({ ok }) => ok)).toBe(true);
  });

  test('one of the size alone fails nobody', async () => {
    const { result } = await isolate(64, (entries) => (entries.length > 5 ? error : undefined));
    expect(result.outcomes.every(({ ok }) => ok)).toBe(true);
  });

  test('an error that bisecting cannot help against ends it', async () => {
    const gone = new Error('no runner left');
    const options = { bisectable: (thrown: unknown) => thrown !== gone };
    const { result, runs } = await isolate(
      8,
      (entries, run) => (run === 1 ? error : entries.includes(4) ? gone : undefined),
      options,
    );
    expect(result.verdict).toBe('stopped');
    expect(runs).toEqual([
      [0, 1, 2, 3, 4, 5, 6, 7],
      [0, 1, 2, 3],
      [4, 5],
    ]);
    expect(result.outcomes.slice(0, 4)).toEqual([0, 1, 2, 3].map((value) => ({ ok: true, value })));
    expect(result.outcomes.slice(4)).toEqual(Array(4).fill({ ok: false, error: gone }));
  });

  test('an outcome that failed by itself is final', async () => {
    const outcomes: Outcome<number>[] = [
      { ok: true, value: 1 },
      { ok: false, error },
    ];
    const result = await runIsolating([1, 2], async () => outcomes, BISECTABLE);
    expect(result).toEqual({ outcomes, verdict: 'clean', reruns: 0 });
  });

  test('nothing to run is no run', async () => {
    expect((await isolate(0, () => error)).runs).toEqual([]);
  });
});
