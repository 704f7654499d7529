import fc from 'fast-check';
import { expect, test } from 'vitest';
import { minuteCounts, sumBySteps } from '../src/board/throughput-history.ts';
import { ServedModels } from './served-models.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const NOON = Date.UTC(2026, 2, 1, 12);

test('minutes are dated back from the one that is still open', () => {
  const meta = { count: 10, prevTS: NOON + 90_500, prevCount: 7 };
  expect(minuteCounts({ meta, data: [4, 0, 3], count: 3 })).toEqual([
    { startMs: NOON + MINUTE_MS, jobs: 3 },
    { startMs: NOON, jobs: 4 },
    { startMs: NOON - MINUTE_MS, jobs: 0 },
    { startMs: NOON - 2 * MINUTE_MS, jobs: 3 },
  ]);
  const nothing = { meta: { count: 0, prevTS: 0, prevCount: 0 }, data: [], count: 0 };
  expect(minuteCounts(nothing)).toEqual([]);
});

test('hours and days begin where UTC has them begin', () => {
  const counts = [
    { startMs: NOON, jobs: 1 },
    { startMs: NOON - MINUTE_MS, jobs: 2 },
    { startMs: NOON - 2 * MINUTE_MS, jobs: 4 },
    { startMs: NOON - 13 * HOUR_MS, jobs: 8 },
  ];
  const range = { from: NOON - 24 * HOUR_MS, to: NOON };
  expect(sumBySteps(counts, { ...range, granularity: 'hour' })).toEqual([
    { ts: NOON - 13 * HOUR_MS, value: 8 },
    { ts: NOON - HOUR_MS, value: 6 },
    { ts: NOON, value: 1 },
  ]);
  expect(sumBySteps(counts, { ...range, granularity: 'day' })).toEqual([
    { ts: NOON - 36 * HOUR_MS, value: 8 },
    { ts: NOON - 12 * HOUR_MS, value: 7 },
  ]);
});

test('no job is lost or counted twice', () => {
  const meta = fc.record({ prevTS: fc.integer({ min: 0, max: 2 ** 41 }), open: fc.nat(1000) });
  const data = fc.array(fc.nat(1000), { maxLength: 3000 });
  const granularity = fc.constantFrom('hour' as const, 'day' as const);
  fc.assert(
    fc.property(meta, data, granularity, ({ prevTS, open }, perMinute, step) => {
      const closed = perMinute.reduce((sum, jobs) => sum + jobs, 0);
      const metrics = {
        meta: { count: closed + open, prevTS, prevCount: closed },
        data: perMinute,
        count: perMinute.length,
      };
      const query = { granularity: step, from: -1e15, to: 1e15 };
      const points = sumBySteps(minuteCounts(metrics), query);
      expect(points.reduce((sum, { value }) => sum + value, 0)).toBe(closed + open);
    }),
    { numRuns: 50 },
  );
});

test('what a worker has just done is in the history', async () => {
  const models = await ServedModels.start();
  try {
    await models.publish('digits');
    models.serve('digits');
    const ids = await Promise.all(Array.from({ length: 7 }, () => models.submit('digits')));
    await Promise.all(ids.map((id) => models.ended(id)));
    const bull = models.bullQueue('digits');
    const counts = minuteCounts(await bull.getMetrics('completed'));
    await bull.close();
    expect(counts.reduce((sum, { jobs }) => sum + jobs, 0)).toBe(7);
    expect(Math.abs(Date.now() - (counts[0]?.startMs ?? 0))).toBeLessThan(10 * MINUTE_MS);
  } finally {
    await models.stop();
  }
});
