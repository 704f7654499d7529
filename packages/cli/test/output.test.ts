import { parseJson } from '@quern/contract';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonText } from '../src/output/json-text.ts';
import { durationText, rateText, tensorText } from '../src/output/readable-numbers.ts';
import { tableText } from '../src/output/table.ts';
import { labelText, rankLabels } from '../src/output/top-labels.ts';

describe('jsonText', () => {
  it('writes what parses to the same value', () => {
    const leaf = fc.oneof(
      fc.string(),
      fc.boolean(),
      fc.constant(null),
      fc
        .double({ noNaN: true, noDefaultInfinity: true })
        .filter((value) => !Object.is(value, -0))
        // Whole numbers out there are read as bigints.
        .filter((value) => !Number.isInteger(value) || Number.isSafeInteger(value)),
      fc.bigInt({ min: 2n ** 53n, max: 2n ** 63n - 1n }),
    );
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        leaf,
        fc.array(tie('value'), { maxLength: 6 }),
        fc.dictionary(fc.string(), tie('value'), { maxKeys: 4, noNullPrototype: true }),
      ),
    }));
    fc.assert(
      fc.property(value, (original) => {
        // JSON.parse and the wire know no own key of that name.
        fc.pre(!JSON.stringify(original, bigintAsText).includes('__proto__'));
        expect(parseJson(jsonText(original))).toEqual(original);
      }),
    );
  });

  it('keeps the rows of a tensor on one line each', () => {
    const row = Array.from({ length: 40 }, (_item, index) => index / 8);
    const lines = jsonText({ y: [row, row], shape: [2, 40] }).split('\n');
    expect(lines).toHaveLength(7);
    expect(lines[2]).toBe(`    [${row.join(', ')}],`);
    expect(lines[5]).toBe('  "shape": [2, 40]');
  });
});

function bigintAsText(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}

describe('rankLabels', () => {
  const labels = ['cat', 'dog', 'cow'];

  it('ranks each row of the output that has a score for each label', () => {
    const rows = rankLabels(
      {
        id: [7, 8],
        p: [
          [0.1, 0.7, 0.2],
          [1, 0, 0],
        ],
      },
      labels,
      2,
    );
    expect(rows.map((row) => row.map(labelText))).toEqual([
      ['dog (70.0 %)', 'cow (20.0 %)'],
      ['cat (100.0 %)', 'dog (0.0 %)'],
    ]);
  });

  it('reads flat tensors too, and shows scores that are no probabilities as they are', () => {
    const output = { logits: { shape: [1, 3], datatype: 'FP32', data: [-1, 12.345_67, 3] } };
    expect(rankLabels(output, labels, 1)[0]?.map(labelText)).toEqual(['dog (12.35)']);
  });

  it.each([
    [{ y: [[0.5, 0.5]] }, labels],
    [{ y: [[0.1, 0.7, 'x']] }, labels],
    [{ y: { shape: [1, 3], datatype: 'FP32', b64: 'AAAA' } }, labels],
    [{ y: [[1]] }, ['only']],
    [{ y: [] }, labels],
  ])('finds no classifier in %j', (output, names) => {
    expect(rankLabels(output, names, 3)).toEqual([]);
  });
});

describe('tableText', () => {
  it('aligns words on the left and numbers on the right', () => {
    const rows = [
      ['digits', '5', '12.5'],
      ['a', '120', '-'],
    ];
    expect(tableText(['MODEL', 'N', 'RATE'], rows)).toBe(
      ['MODEL     N  RATE', 'digits    5  12.5', 'a       120     -'].join('\n'),
    );
  });
});

it('writes durations, rates and tensors for people', () => {
  expect([0.44, 9.96, 12.3, 999, 3210].map(durationText)).toEqual([
    '0.4 ms',
    '10 ms',
    '12 ms',
    '999 ms',
    '3.2 s',
  ]);
  expect([0, 0.04, 7.96, 24.6].map(rateText)).toEqual(['0', '0', '8', '25']);
  expect(tensorText({ name: 'x', datatype: 'FP32', shape: [-1, 8] })).toBe('x  FP32 [?, 8]');
});
