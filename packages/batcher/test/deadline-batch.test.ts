import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  chooseDeadlineBatch,
  type DatedEntry,
  type DeadlineSituation,
} from '../src/deadline-batch.ts';

function entry(deadlineAtMs: number, rows = 1): DatedEntry {
  return { rows, deadlineAtMs };
}

/** A batch of n takes 8 + n ms. */
function situation(more: Partial<DeadlineSituation> = {}): DeadlineSituation {
  return {
    startAtMs: 0,
    otherStartAtMs: Number.POSITIVE_INFINITY,
    maxRows: 8,
    maxEntries: 8,
    estimateMs: (rows) => 8 + rows,
    marginShare: 0,
    certain: true,
    overloaded: false,
    ...more,
  };
}

const LATER = Number.POSITIVE_INFINITY;

describe('a batch among deadlines', () => {
  test('is full when every deadline in it is kept', () => {
    const entries = Array.from({ length: 10 }, () => entry(16));
    const { batch, doomed, capped } = chooseDeadlineBatch(entries, situation());
    expect(batch).toEqual(entries.slice(0, 8));
    expect(doomed).toEqual([]);
    expect(capped).toBe(false);
  });

  test('stops growing where its tightest deadline would be missed', () => {
    const entries = [entry(10), ...Array.from({ length: 5 }, () => entry(LATER))];
    const { batch, capped } = chooseDeadlineBatch(entries, situation());
    expect(batch).toHaveLength(2);
    expect(capped).toBe(true);
  });

  test('leaves out who has too little time for company of that size', () => {
    const entries = [entry(100), entry(101), entry(9), entry(102)];
    const { batch } = chooseDeadlineBatch(entries, situation());
    expect(batch.map(({ deadlineAtMs }) => deadlineAtMs)).toEqual([100, 101, 102]);
  });

  test('gives up what would be late even alone, but not on mere expectations', () => {
    const entries = [entry(8.5), entry(20)];
    expect(chooseDeadlineBatch(entries, situation())).toMatchObject({
      batch: [entry(20)],
      doomed: [entry(8.5)],
    });
    expect(chooseDeadlineBatch(entries, situation({ certain: false }))).toMatchObject({
      batch: [entry(8.5)],
      doomed: [],
    });
  });

  test('with enough time serves the urgent few first, with too little the many', () => {
    const few = [entry(9)];
    const relaxed = [...few, ...Array.from({ length: 8 }, () => entry(60))];
    expect(chooseDeadlineBatch(relaxed, situation()).batch).toEqual([entry(9)]);
    const pressed = [...few, ...Array.from({ length: 8 }, () => entry(17))];
    expect(chooseDeadlineBatch(pressed, situation())).toMatchObject({
      batch: pressed.slice(1),
      doomed: [],
    });
  });

  test('gives those few up at once when entries have been lost already', () => {
    const entries = [entry(9), entry(10), ...Array.from({ length: 8 }, () => entry(17))];
    const { doomed } = chooseDeadlineBatch(entries, situation({ overloaded: true }));
    expect(doomed).toEqual([entry(9), entry(10)]);
  });
});

describe('whatever the entries', () => {
  const entries = fc.array(
    fc.record({
      rows: fc.integer({ min: 1, max: 4 }),
      deadlineAtMs: fc.oneof(fc.integer({ min: 1, max: 60 }), fc.constant(LATER)),
    }),
    { minLength: 1, maxLength: 40 },
  );
  const situations = fc
    .record({
      otherStartAtMs: fc.constantFrom(0, 5, 30, LATER),
      marginShare: fc.constantFrom(0, 0.1),
      certain: fc.boolean(),
      overloaded: fc.boolean(),
    })
    .map(situation);

  test('nobody is in a batch and given up, or twice in either', () => {
    fc.assert(
      fc.property(entries, situations, (waiting, given) => {
        const { batch, doomed } = chooseDeadlineBatch(waiting, given);
        expect(new Set([...batch, ...doomed]).size).toBe(batch.length + doomed.length);
        for (const chosen of [...batch, ...doomed]) expect(waiting).toContain(chosen);
      }),
    );
  });

  test('the batch is within its limits, and not empty unless all are given up', () => {
    fc.assert(
      fc.property(entries, situations, (waiting, given) => {
        const { batch, doomed } = chooseDeadlineBatch(waiting, given);
        const rows = batch.reduce((sum, chosen) => sum + chosen.rows, 0);
        expect(rows).toBeLessThanOrEqual(given.maxRows);
        expect(batch.length).toBeLessThanOrEqual(given.maxEntries);
        if (batch.length === 0) expect(doomed).toHaveLength(waiting.length);
      }),
    );
  });

  test('with known run times nobody is run who is expected to be late', () => {
    fc.assert(
      fc.property(entries, situations, (waiting, given) => {
        const { batch } = chooseDeadlineBatch(waiting, { ...given, certain: true });
        const rows = batch.reduce((sum, chosen) => sum + chosen.rows, 0);
        for (const { deadlineAtMs } of batch) expect(deadlineAtMs).toBeGreaterThanOrEqual(8 + rows);
      }),
    );
  });

  test('only those are given up that would be late, unless there is more work than time', () => {
    fc.assert(
      fc.property(entries, situations, (waiting, given) => {
        const { doomed } = chooseDeadlineBatch(waiting, { ...given, overloaded: false });
        for (const { deadlineAtMs, rows } of doomed) expect(deadlineAtMs).toBeLessThan(8 + rows);
      }),
    );
  });
});
