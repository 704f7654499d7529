import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  BATCH_ROWS_BOUNDS,
  batchRowsBucket,
  mergeVersionStats,
  type VersionStats,
  versionStatsSchema,
} from '../src/index.ts';

const count = fc.nat({ max: 1000 });
const ratio = fc.double({ min: 0, max: 1, noNaN: true });
const timeMs = fc.double({ min: 0, max: 1e4, noNaN: true });

const stats: fc.Arbitrary<VersionStats> = fc.record({
  batches: count,
  rows: count,
  succeeded: count,
  failed: count,
  expired: count,
  reruns: count,
  quarantined: count,
  recycled: count,
  batchRows: fc.array(count, { maxLength: BATCH_ROWS_BOUNDS.length + 1 }),
  fillRatio: ratio,
  paddingRatio: ratio,
  phasesMs: fc.record({
    queue: timeMs,
    collate: timeMs,
    inference: timeMs,
    split: timeMs,
    store: timeMs,
  }),
  reasons: fc.dictionary(fc.constantFrom('full', 'idle', 'knee'), count, { noNullPrototype: true }),
});

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

describe('the figures of several workers', () => {
  test('add up, whatever they are', () => {
    fc.assert(
      fc.property(fc.array(stats, { maxLength: 5 }), (parts) => {
        const merged = versionStatsSchema.parse(mergeVersionStats(parts));
        expect(merged.rows).toBe(sum(parts.map(({ rows }) => rows)));
        expect(sum(merged.batchRows)).toBe(sum(parts.flatMap(({ batchRows }) => batchRows)));
        expect(sum(Object.values(merged.reasons))).toBe(
          sum(parts.flatMap(({ reasons }) => Object.values(reasons))),
        );
        const fills = parts.filter(({ batches }) => batches > 0).map(({ fillRatio }) => fillRatio);
        expect(merged.fillRatio).toBeLessThanOrEqual(Math.max(0, ...fills) * (1 + 1e-9));
        if (fills.length === 0) return;
        expect(merged.fillRatio).toBeGreaterThanOrEqual(Math.min(...fills) * (1 - 1e-9));
      }),
    );
  });

  test('weigh a mean by the batches that it is of', () => {
    const part = (batches: number, inference: number): VersionStats => ({
      ...mergeVersionStats([]),
      batches,
      phasesMs: { queue: 0, collate: 0, inference, split: 0, store: 0 },
    });
    expect(mergeVersionStats([part(3, 10), part(1, 2)]).phasesMs.inference).toBe(8);
  });
});

test.each([
  [1, 0],
  [2, 1],
  [3, 2],
  [1024, BATCH_ROWS_BOUNDS.length - 1],
  [1025, BATCH_ROWS_BOUNDS.length],
])('a batch of %i rows counts in bucket %i', (rows, bucket) => {
  expect(batchRowsBucket(rows)).toBe(bucket);
});
