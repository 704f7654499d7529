import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  GROWTH_INTERVAL_MS,
  GROWTH_SUCCESSES,
  MAX_GROWTH_INTERVAL_MS,
  MemoryCap,
  SUSPICION_MS,
} from '../src/memory-cap.ts';

/** Runs as large batches as the cap allows for a time, on a device that has room for `fits` rows. */
function play(
  cap: MemoryCap,
  options: { fits: number; max: number; fromMs: number; forMs: number },
) {
  const { fits, max, fromMs, forMs } = options;
  const failedAtMs: number[] = [];
  for (let nowMs = fromMs; nowMs < fromMs + forMs; nowMs += 1000) {
    const rows = Math.min(max, cap.rowsWithin(1));
    if (rows <= fits) {
      cap.succeeded({ rows, elementsPerRow: 1 }, nowMs);
    } else {
      failedAtMs.push(nowMs);
      cap.outOfMemory({ rows, elementsPerRow: 1 }, nowMs);
    }
  }
  return failedAtMs;
}

describe('MemoryCap', () => {
  test('limits nothing until memory runs out, then to half of what failed, and again', () => {
    const cap = new MemoryCap();
    expect(cap.rowsWithin(1e9)).toBe(Number.POSITIVE_INFINITY);
    cap.outOfMemory({ rows: 64, elementsPerRow: 100 }, 0);
    expect(cap.elements).toBe(3200);
    expect([cap.rowsWithin(100), cap.rowsWithin(10), cap.rowsWithin(5000)]).toEqual([32, 320, 1]);
    cap.outOfMemory({ rows: 32, elementsPerRow: 100 }, 0);
    expect(cap.rowsWithin(100)).toBe(16);
  });

  test('a batch that was formed before the cap fell does not push it further', () => {
    const cap = new MemoryCap();
    cap.outOfMemory({ rows: 16, elementsPerRow: 1 }, 0);
    cap.outOfMemory({ rows: 64, elementsPerRow: 1 }, 1);
    expect(cap.elements).toBe(8);
  });

  test('one row that does not fit caps nobody', () => {
    const cap = new MemoryCap();
    cap.outOfMemory({ rows: 1, elementsPerRow: 1e9 }, 0);
    expect(cap.elements).toBe(Number.POSITIVE_INFINITY);
  });

  test('grows by a sixteenth of what failed, a minute apart, after successes at the cap', () => {
    const cap = new MemoryCap();
    cap.outOfMemory({ rows: 64, elementsPerRow: 1 }, 0);
    const atCap = { rows: 32, elementsPerRow: 1 };
    for (let i = 0; i < GROWTH_SUCCESSES - 1; i++) cap.succeeded(atCap, GROWTH_INTERVAL_MS);
    expect(cap.elements).toBe(32);
    // A small batch shows nothing.
    cap.succeeded({ rows: 31, elementsPerRow: 1 }, GROWTH_INTERVAL_MS);
    expect(cap.elements).toBe(32);
    cap.succeeded(atCap, GROWTH_INTERVAL_MS);
    expect(cap.elements).toBe(36);
    for (let i = 0; i < 100; i++) {
      cap.succeeded({ rows: 36, elementsPerRow: 1 }, 2 * GROWTH_INTERVAL_MS - 1);
    }
    expect(cap.elements).toBe(36);
  });

  test('is lifted when a run of the cost that failed goes through', () => {
    const cap = new MemoryCap();
    const failures = play(cap, { fits: 16, max: 64, fromMs: 0, forMs: 30_000 });
    expect(failures).toHaveLength(2);
    expect(cap.elements).toBe(16);
    // The other process that held the memory has gone: 12 steps of 4 rows.
    expect(play(cap, { fits: 64, max: 64, fromMs: 30_000, forMs: 780_000 })).toEqual([]);
    expect(cap.elements).toBe(Number.POSITIVE_INFINITY);
  });

  test('tries ever less often where it keeps failing', () => {
    const cap = new MemoryCap();
    const failedAtMs = play(cap, { fits: 40, max: 64, fromMs: 0, forMs: 24 * 3_600_000 });
    const gapsMs = failedAtMs.slice(1).map((atMs, i) => atMs - (failedAtMs[i] ?? 0));
    expect(Math.min(...gapsMs)).toBeGreaterThan(GROWTH_INTERVAL_MS);
    expect(Math.max(...gapsMs)).toBeGreaterThan(MAX_GROWTH_INTERVAL_MS);
    expect(failedAtMs.length).toBeLessThan(20);
  });

  test('believes a killed process the second time, if that comes soon and was as large', () => {
    const killed = (rows: number) => ({ rows, elementsPerRow: 1 });
    const once = new MemoryCap();
    once.suspectOutOfMemory(killed(64), 0);
    once.suspectOutOfMemory(killed(64), SUSPICION_MS + 1);
    expect(once.elements).toBe(Number.POSITIVE_INFINITY);
    once.suspectOutOfMemory(killed(8), SUSPICION_MS + 2);
    expect(once.elements).toBe(Number.POSITIVE_INFINITY);
    const bisected = new MemoryCap();
    bisected.suspectOutOfMemory(killed(64), 0);
    bisected.suspectOutOfMemory(killed(32), 5);
    expect(bisected.elements).toBe(16);
  });

  test('keeps to its bounds whatever happens', () => {
    const step = fc.record({
      kind: fc.constantFrom('failed', 'succeeded', 'killed'),
      rows: fc.integer({ min: 1, max: 128 }),
      elementsPerRow: fc.integer({ min: 1, max: 1000 }),
      afterMs: fc.integer({ min: 0, max: 2 * GROWTH_INTERVAL_MS }),
    });
    const limit = fc.oneof(fc.constant(Number.POSITIVE_INFINITY), fc.integer({ min: 1, max: 1e5 }));
    fc.assert(
      fc.property(limit, fc.array(step, { maxLength: 200 }), (maxElements, steps) => {
        const cap = new MemoryCap({ maxElements });
        let nowMs = 0;
        for (const { kind, afterMs, ...run } of steps) {
          nowMs += afterMs;
          const before = cap.elements;
          if (kind === 'failed') cap.outOfMemory(run, nowMs);
          else if (kind === 'killed') cap.suspectOutOfMemory(run, nowMs);
          else cap.succeeded(run, nowMs);
          expect(cap.elements).toBeLessThanOrEqual(maxElements);
          expect(cap.elements).toBeGreaterThanOrEqual(Math.min(1, maxElements));
          if (kind === 'succeeded') expect(cap.elements).toBeGreaterThanOrEqual(before);
          else expect(cap.elements).toBeLessThanOrEqual(before);
          if (kind === 'failed' && run.rows > 1) {
            expect(cap.rowsWithin(run.elementsPerRow)).toBeLessThan(run.rows);
          }
          // Wider rows never get more of them.
          expect(cap.rowsWithin(2 * run.elementsPerRow)).toBeLessThanOrEqual(
            cap.rowsWithin(run.elementsPerRow),
          );
        }
      }),
      { numRuns: 200 },
    );
  });
});
