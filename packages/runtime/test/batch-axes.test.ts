import { laneOf, type Tensor } from '@quern/contract';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { RunnerModel } from '../src/index.ts';
import { arranged, rounded, runAlone, runBatch } from './harness/batches.ts';
import { floats, fp32, int64 } from './harness/runners.ts';
import { openSession } from './harness/sessions.ts';

/** Rows on axis 0, on axis 1, and not at all. */
const STATEFUL: Partial<RunnerModel> = {
  inputs: { state: { batchAxis: 1 }, rate: { batchAxis: 'none' } },
  outputs: { stateN: { batchAxis: 1 }, used_rate: { batchAxis: 'none' } },
  maxBatchSize: 64,
};

const value = fc.double({ min: -9, max: 9, noNaN: true }).map((n) => Math.round(n * 100) / 100);

function values(count: number): fc.Arbitrary<number[]> {
  return fc.array(value, { minLength: count, maxLength: count });
}

function statefulEntry(rows: number, rate: bigint): fc.Arbitrary<Tensor[]> {
  return fc
    .tuple(values(rows * 4), values(rows * 6))
    .map(([x, state]) => [
      fp32('x', [rows, 4], x),
      fp32('state', [2, rows, 3], state),
      int64('rate', [], [rate]),
    ]);
}

describe('rows on other axes than the first', () => {
  test('come back as if each entry had run alone', async () => {
    const session = await openSession('stateful', STATEFUL);
    expect(session.loaded.signature).toMatchObject({
      batchable: true,
      inputs: [{ name: 'x' }, { batchAxis: 1 }, { batchAxis: null }],
    });
    const entries = fc
      .array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 6 })
      .chain((rows) => fc.tuple(...rows.map((count) => statefulEntry(count, 3n))));
    await fc.assert(
      fc.asyncProperty(entries, async (batch) => {
        const { answers, paddingRatio } = await runBatch(session, batch);
        expect(rounded(answers)).toEqual(rounded(await runAlone(session, batch)));
        expect(paddingRatio).toBe(0);
      }),
      { numRuns: 30 },
    );
  });

  test('a value that a whole batch shares goes into its lane, and a stranger is turned away', async () => {
    const session = await openSession('stateful', STATEFUL);
    const { signature } = session.loaded;
    const entry = (rate: bigint) => [
      fp32('x', [1, 4], [1, 1, 1, 1]),
      fp32('state', [2, 1, 3], [0, 0, 0, 0, 0, 0]),
      int64('rate', [], [rate]),
    ];
    const lane = (rate: bigint) => laneOf(arranged(entry(rate), signature).tensors, signature);
    expect(lane(8000n)).toBe('4;2x3;=401f000000000000');
    expect(lane(16_000n)).not.toBe(lane(8000n));
    const { answers } = await runBatch(session, [entry(2n), entry(3n), entry(2n)]);
    expect(answers[1]).toContain('of another lane');
    const rates = [answers[0], answers[2]].map((answer) =>
      typeof answer === 'object' ? floats(answer[2]) : answer,
    );
    expect(rates).toEqual([[2], [2]]);
  });

  test('rows are counted on the declared axis', async () => {
    const { signature } = (await openSession('stateful', STATEFUL)).loaded;
    const entry = [
      fp32('x', [1, 4], [1, 1, 1, 1]),
      fp32('state', [2, 2, 3], new Array<number>(12).fill(0)),
      int64('rate', [], [1n]),
    ];
    expect(() => arranged(entry, signature)).toThrow(
      'input.state: got 2 rows on axis 1, expected 1 as in x',
    );
  });
});

test.each<[string, Partial<RunnerModel>, string]>([
  [
    'an axis that is another in truth',
    { ...STATEFUL, outputs: { used_rate: { batchAxis: 'none' } } },
    'fixed at 2; if all rows share it',
  ],
  [
    'nothing of the input without rows',
    { ...STATEFUL, inputs: { state: { batchAxis: 1 } } },
    'say so in model.yaml: inputs: {rate: {batchAxis: none}}',
  ],
  [
    'nothing of the rows on axis 1',
    { ...STATEFUL, inputs: { rate: { batchAxis: 'none' } } },
    'say so in model.yaml: inputs: {state: {batchAxis: 1}}',
  ],
])(
  'a model.yaml that says %s costs the batches, and the warning says what to write',
  async (_, model, hint) => {
    const { signature, warnings } = (await openSession('stateful', model)).loaded;
    expect(signature.batchable).toBe(false);
    expect(warnings.join()).toContain(hint);
  },
);

test('an axis that the input has not is an error', async () => {
  const inputs = { state: { batchAxis: 3 } };
  const configPositions = { 'inputs.state.batchAxis': '7:12' };
  await expect(openSession('stateful', { inputs, configPositions })).rejects.toThrow(
    'model.yaml:7:12: inputs.state.batchAxis: got 3, expected an axis of [2,-1,3]',
  );
});
