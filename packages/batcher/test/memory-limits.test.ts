import { describe, expect, test } from 'vitest';
import { Batcher, type BatchResult, MemoryCap, VirtualClock } from '../src/index.ts';
import { payloads, setUp } from './batcher-setup.ts';
import { entryAt } from './simulated-instances.ts';

describe('batches under a memory cap', () => {
  test('stay within it after a run failed, and a larger entry runs alone', async () => {
    const { clock, instances, batcher } = setUp();
    batcher.memoryCap.outOfMemory({ rows: 4, elementsPerRow: 1 }, 0);
    expect(batcher.stats().memoryCapElements).toBe(2);
    for (const rows of [1, 3, 1, 1]) void batcher.submit(entryAt(0, rows, { rows }));
    await clock.runUntilIdle();
    expect(instances.batches.map(payloads)).toEqual([[1, 1], [3], [1]]);
  });

  test('hold fewer rows the wider they are, lane by lane', async () => {
    const { clock, instances, batcher } = setUp(
      {},
      { memoryCap: new MemoryCap({ maxElements: 200 }) },
    );
    const wide = { lane: 'wide', elementsPerRow: 100 };
    const narrow = { lane: 'narrow', elementsPerRow: 10 };
    for (const payload of [1, 2, 3, 4]) void batcher.submit(entryAt(0, payload, wide));
    for (const payload of [5, 6, 7, 8]) void batcher.submit(entryAt(0, payload, narrow));
    await clock.runUntilIdle();
    const sizes = instances.batches.map(({ lane, rows }) => [lane, rows]);
    expect(sizes.filter(([lane]) => lane === 'wide')).toEqual([
      ['wide', 2],
      ['wide', 2],
    ]);
    expect(sizes.filter(([lane]) => lane === 'narrow')).toEqual([['narrow', 4]]);
    expect(batcher.maxRowsFor(wide)).toBe(2);
    expect(batcher.maxRowsFor(narrow)).toBe(4);
  });

  test('grow back while runs at the cap go through', async () => {
    const clock = new VirtualClock();
    const caps: number[] = [];
    const sizes: number[] = [];
    const batcher = new Batcher<number, number>({
      settings: { mode: 'fixed', maxBatchSize: 16, maxQueueDelayMs: 0 },
      instances: 1,
      clock,
      memoryCap: new MemoryCap({ onChange: (elements) => caps.push(elements) }),
      run: (batch): Promise<BatchResult<number>> => {
        sizes.push(batch.rows);
        const outcomes = batch.entries.map(
          ({ payload }) => ({ ok: true, value: payload }) as const,
        );
        return new Promise((resolve) => {
          clock.setTimer(clock.nowMs() + 5000, () => resolve({ outcomes }));
        });
      },
    });
    batcher.memoryCap.outOfMemory({ rows: 16, elementsPerRow: 1 }, 0);
    const results = Array.from({ length: 3000 }, (_, i) => batcher.submit(entryAt(0, i)));
    await clock.runUntilIdle();
    expect((await Promise.all(results)).length).toBe(3000);
    expect(caps).toEqual([8, 9, 10, 11, 12, 13, 14, 15, 16, Number.POSITIVE_INFINITY]);
    // No batch is larger than the one before by more than the step.
    for (const [i, size] of sizes.slice(1, -1).entries()) {
      expect(size - (sizes[i] ?? 0)).toBeLessThanOrEqual(1);
    }
    expect(Math.max(...sizes)).toBe(16);
  });
});
