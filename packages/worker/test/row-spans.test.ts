import fc from 'fast-check';
import { expect, test } from 'vitest';
import { describeSpan, RowsToRun } from '../src/row-spans.ts';

/** Runs all rows on a model that refuses some; a part of more than `fits` rows needs too much memory. */
function runAll(
  rows: number,
  sizes: readonly number[],
  refused: ReadonlySet<number>,
  fits: number,
) {
  const toRun = new RowsToRun(rows);
  const succeeded: number[] = [];
  let runs = 0;
  for (let i = 0; toRun.hasNext; i++) {
    const taken = toRun.take(sizes[i % sizes.length] ?? 1);
    if (taken === undefined) throw new Error('nothing to take');
    runs += 1;
    const { span, suspect } = taken;
    const own = Array.from({ length: span.count }, (_, at) => span.first + at);
    if (span.count > fits) toRun.runSmaller(span);
    else if (!own.some((row) => refused.has(row))) succeeded.push(...own);
    else if (span.count > 1) toRun.suspect(span);
    else return { found: span.first, succeeded, runs };
    if (suspect) toRun.cleared();
  }
  return { found: undefined, succeeded, runs };
}

const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 });

test('every row runs once, whatever the sizes of parts and what memory has room for', () => {
  fc.assert(
    fc.property(
      fc.nat({ max: 300 }),
      sizes,
      fc.integer({ min: 1, max: 50 }),
      (more, parts, fits) => {
        const { succeeded } = runAll(more + 1, parts, new Set(), fits);
        const all = Array.from({ length: more + 1 }, (_, row) => row);
        expect(succeeded.sort((a, b) => a - b)).toEqual(all);
      },
    ),
  );
});

test('the first row at fault of a part is found in 2 log2 n runs', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 300 }),
      fc.integer({ min: 1, max: 64 }),
      fc.uniqueArray(fc.nat(), { minLength: 1, maxLength: 5 }),
      (rows, size, seeds) => {
        const refused = new Set(seeds.map((seed) => seed % rows));
        const first = Math.min(...refused);
        const { found, succeeded, runs } = runAll(rows, [size], refused, 1000);
        expect(found).toBe(first);
        expect(succeeded).not.toContain(first);
        const partsBefore = Math.floor(first / size) + 1;
        expect(runs).toBeLessThanOrEqual(partsBefore + 2 * Math.ceil(Math.log2(size)));
      },
    ),
  );
});

test('nothing fresh is begun while a suspect runs', () => {
  const toRun = new RowsToRun(8);
  expect(toRun.take(4)).toEqual({ span: { first: 0, count: 4 }, suspect: false });
  toRun.suspect({ first: 0, count: 4 });
  expect(toRun.take(4)).toEqual({ span: { first: 0, count: 2 }, suspect: true });
  expect(toRun.take(4)).toEqual({ span: { first: 2, count: 2 }, suspect: true });
  expect(toRun.hasNext).toBe(false);
  expect(toRun.take(4)).toBeUndefined();
  toRun.cleared();
  toRun.cleared();
  expect(toRun.take(9)).toEqual({ span: { first: 4, count: 4 }, suspect: false });
  expect(toRun.hasNext).toBe(false);
});

test('rows are named as people would', () => {
  expect(describeSpan({ first: 17, count: 1 })).toBe('row 17');
  expect(describeSpan({ first: 32, count: 32 })).toBe('rows 32 to 63');
});
