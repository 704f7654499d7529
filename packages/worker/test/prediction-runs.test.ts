import {
  Batcher,
  type BatcherOptions,
  EntryDropped,
  MemoryCap,
  VirtualClock,
} from '@quern/batcher';
import { decodeTensors, encodeTensors, QuernError, type Tensor } from '@quern/contract';
import { CancellationWatch, type JobResult, type QueuedPrediction } from '@quern/queue';
import { type RunnerBatch, type RunnerBatchResult, RunnerFault } from '@quern/runtime';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { BatchMember } from '../src/batch-entry.ts';
import { executeBatch } from '../src/execute-batch.ts';
import { watchMemory } from '../src/memory-watch.ts';
import { PredictionRuns } from '../src/prediction-runs.ts';

const NO_TIMES = { collateMs: 0, inferenceMs: 1, splitMs: 0, storeMs: 0, paddingRatio: 0 };
const RUN_MS = 10;

function prediction(id: string, rows: number, over: Partial<QueuedPrediction> = {}) {
  return {
    id,
    data: {
      model: 'm',
      version: 1,
      rows,
      lane: '1',
      bytes: 4,
      form: 'nested' as const,
      shapes: {},
      priority: 'normal' as const,
    },
    createdAtMs: 0,
    attempt: 1,
    failures: 0,
    runsAs: 'normal' as const,
    input: { key: `input:${id}` },
    resultKey: `result:${id}`,
    cancellation: new CancellationWatch(),
    ...over,
  } satisfies QueuedPrediction;
}

/** The row numbers as a tensor of bytes. */
function rowsTensor(first: number, count: number): Tensor {
  const data = Uint8Array.from({ length: count }, (_, i) => (first + i) % 256);
  return { name: 'y', datatype: 'UINT8', shape: [count], data };
}

interface DeviceOptions {
  /** The most rows that memory has room for. */
  readonly fits?: number;
  /** Row numbers of prediction `bad` that the model refuses. */
  readonly refused?: readonly number[];
}

/** Instances on a virtual clock whose model answers each row with its number. */
function setUp({ fits = 1000, refused = [] }: DeviceOptions = {}, maxBatchSize = 8) {
  const clock = new VirtualClock();
  const stored = new Map<string, Uint8Array>();
  const ran: RunnerBatch[] = [];
  const removed: string[] = [];
  const memoryCap = new MemoryCap();
  let freeAtMs = 0;

  async function run(batch: RunnerBatch): Promise<RunnerBatchResult> {
    const [entry] = batch.entries;
    if (entry !== undefined && 'parts' in entry.input) return assemble(entry.id, entry.input.parts);
    ran.push(batch);
    freeAtMs = Math.max(freeAtMs, clock.nowMs()) + RUN_MS;
    await new Promise<void>((resolve) => clock.setTimer(freeAtMs, resolve));
    const rows = batch.entries.reduce((sum, each) => sum + each.rows, 0);
    if (rows > fits) throw new RunnerFault('OUT_OF_MEMORY', 'too much', true);
    for (const each of batch.entries) {
      const first = each.rowRange?.first ?? 0;
      const isBad = refused.some((row) => row >= first && row < first + each.rows);
      if (each.id.startsWith('bad') && isBad) {
        throw new RunnerFault('INFERENCE_FAILED', 'index out of bounds', true);
      }
    }
    const outcomes = batch.entries.map(({ id, rows: count, rowRange, resultKey }) => {
      const bytes = encodeTensors([rowsTensor(rowRange?.first ?? 0, count)]);
      if (rowRange === undefined) return { id, ok: true, result: { inline: bytes } } as const;
      stored.set(resultKey, bytes);
      return { id, ok: true, result: { key: resultKey, bytes: bytes.byteLength } } as const;
    });
    return { outcomes, ...NO_TIMES };
  }

  function assemble(
    id: string,
    parts: readonly ({ inline: Uint8Array } | { key: string })[],
  ): RunnerBatchResult {
    const data = parts.flatMap((part) => {
      const bytes = 'key' in part ? stored.get(part.key) : part.inline;
      return [...(decodeTensors(bytes ?? new Uint8Array())[0]?.data ?? [])];
    });
    const whole = { ...rowsTensor(0, data.length), data: Uint8Array.from(data) };
    return {
      outcomes: [{ id, ok: true, result: { inline: encodeTensors([whole]) } }],
      ...NO_TIMES,
    };
  }

  const options: BatcherOptions<BatchMember, JobResult> = {
    settings: { mode: 'fixed', maxBatchSize, maxQueueDelayMs: 0 },
    instances: 1,
    clock,
    memoryCap,
    run: (batch) =>
      executeBatch(batch, {
        runner: watchMemory({ run }, memoryCap, 1, clock),
        batchId: `w.1.${batch.id}`,
        executionProvider: 'cpu',
        onRun: () => {},
        onFault: () => {},
        onReruns: () => {},
      }),
  };
  const batcher = new Batcher<BatchMember, JobResult>(options);
  const runs = new PredictionRuns({
    mode: 'fixed',
    runner: { run },
    instances: () => 1,
    removeResults: async (keys) => {
      removed.push(...keys);
      for (const key of keys) stored.delete(key);
    },
    nowMs: () => clock.nowMs(),
  });
  return { clock, batcher, runs, ran, removed, stored, memoryCap };
}

function answerOf({ output = '' }: JobResult): number[] {
  return [...(decodeTensors(Buffer.from(output, 'base64'))[0]?.data ?? [])];
}

function rowNumbers(rows: number): number[] {
  return Array.from({ length: rows }, (_, i) => i % 256);
}

describe('PredictionRuns', () => {
  test('answers any rows right, whatever memory has room for, and leaves nothing behind', async () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(sizes, fc.integer({ min: 1, max: 12 }), async (rowsOf, fits) => {
        const { clock, batcher, runs, stored } = setUp({ fits });
        const results = rowsOf.map((rows, i) => runs.run(prediction(`p${i}`, rows), batcher));
        const all = Promise.all(results);
        await clock.runUntilIdle();
        expect((await all).map(answerOf)).toEqual(rowsOf.map(rowNumbers));
        await runs.cleared();
        expect(stored.size).toBe(0);
      }),
      { numRuns: 40 },
    );
  });

  test('keeps few parts of a large one before a small one that comes later', async () => {
    const { clock, batcher, runs } = setUp();
    const large = runs.run(prediction('large', 1000), batcher);
    await clock.advanceBy(100);
    const small = runs.run(prediction('small', 1), batcher);
    // The run under way, three parts that came before it, and its own.
    await clock.advanceBy(5 * RUN_MS);
    expect(answerOf(await small)).toEqual([0]);
    await clock.runUntilIdle();
    const { parts, batchRows } = await large;
    expect({ parts, batchRows }).toMatchObject({ parts: { count: 125 }, batchRows: 8 });
  });

  test('fails with the row that the model refuses, and nobody else with it', async () => {
    const { clock, batcher, runs, ran, stored } = setUp({ refused: [30] });
    const bad = runs.run(prediction('bad', 100), batcher).catch((error: unknown) => error);
    const good = [5, 20].map((rows, i) => runs.run(prediction(`good${i}`, rows), batcher));
    const answers = Promise.all(good);
    await clock.runUntilIdle();
    expect((await answers).map(answerOf)).toEqual([rowNumbers(5), rowNumbers(20)]);
    const error = await bad;
    expect(error).toBeInstanceOf(QuernError);
    expect(error).toMatchObject({ code: 'INFERENCE_FAILED', retryable: false });
    expect(String(error)).toMatch(
      /row 30 of 100 \(counted from 0\) failed: index out of bounds\. \d+ other rows had succeeded; \d+ were not run/,
    );
    // Most of it was never begun.
    expect(
      ran.flatMap(({ entries }) => entries.filter(({ id }) => id.startsWith('bad'))).length,
    ).toBeLessThan(30);
    await runs.cleared();
    expect(stored.size).toBe(0);
  });

  test('a prediction no larger than a batch is run in parts if it does not fit', async () => {
    const { clock, batcher, runs, memoryCap } = setUp({ fits: 3 });
    const result = runs.run(prediction('p', 8), batcher);
    await clock.runUntilIdle();
    expect(answerOf(await result)).toEqual(rowNumbers(8));
    expect(memoryCap.elements).toBeLessThanOrEqual(3);
    const alone = setUp({ fits: 0 });
    const failed = alone.runs.run(prediction('p', 1), alone.batcher).catch((e: unknown) => e);
    await alone.clock.runUntilIdle();
    expect(await failed).toMatchObject({ code: 'OUT_OF_MEMORY' });
  });

  test.each([
    ['a cancellation', 'CANCELED'],
    ['its deadline', 'DEADLINE_EXCEEDED'],
    ['a worker that stops', 'drained'],
  ])('%s ends all its parts, and nothing of it runs on', async (why, expected) => {
    const { clock, batcher, runs, ran, stored } = setUp();
    const whole = prediction('p', 1000);
    const { data, cancellation } = whole;
    const late = { ...whole, data: { ...data, deadlineAtMs: 45 } };
    const result = runs
      .run(why === 'its deadline' ? late : whole, batcher)
      .catch((error: unknown) => error);
    await clock.advanceBy(44);
    if (why === 'a cancellation') cancellation.cancel();
    if (why === 'a worker that stops') void batcher.drain();
    await clock.advanceBy(30);
    const error = await result;
    const reason =
      error instanceof EntryDropped ? error.reason : error instanceof QuernError && error.code;
    expect(reason).toBe(expected);
    const before = ran.length;
    expect(before).toBeLessThan(10);
    await clock.runUntilIdle();
    await runs.cleared();
    expect(ran).toHaveLength(before);
    expect(stored.size).toBe(0);
  });
});

describe('watchMemory', () => {
  const batch = {
    batchId: 'b',
    entries: [{ id: 'a', rows: 6, input: { key: 'k' }, resultKey: 'r' }],
  };
  const failing = (error: Error) => ({ run: () => Promise.reject(error) });

  test('believes an out of memory, and a process killed twice', async () => {
    const clock = new VirtualClock();
    const cap = new MemoryCap();
    const killed = new RunnerFault('RUNNER_CRASHED', 'gone', true, { maybeMemory: true });
    await expect(watchMemory(failing(killed), cap, 2, clock).run(batch)).rejects.toBe(killed);
    expect(cap.elements).toBe(Number.POSITIVE_INFINITY);
    await expect(watchMemory(failing(killed), cap, 2, clock).run(batch)).rejects.toBe(killed);
    expect(cap.elements).toBe(6);
    const notStarted = new RunnerFault('OUT_OF_MEMORY', 'full', false);
    const full = new RunnerFault('OUT_OF_MEMORY', 'full', true);
    await expect(watchMemory(failing(notStarted), cap, 1, clock).run(batch)).rejects.toThrow();
    expect(cap.elements).toBe(6);
    await expect(watchMemory(failing(full), cap, 1, clock).run(batch)).rejects.toThrow();
    expect(cap.elements).toBe(3);
  });
});
