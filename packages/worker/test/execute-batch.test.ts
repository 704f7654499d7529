import type { Batch } from '@quern/batcher';
import { QuernError } from '@quern/contract';
import { CancellationWatch, type QueuedPrediction } from '@quern/queue';
import { type RunnerBatch, type RunnerBatchResult, RunnerFault } from '@quern/runtime';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toEntry } from '../src/batch-entry.ts';
import { type ExecuteOptions, executeBatch } from '../src/execute-batch.ts';

function prediction(id: string, failures = 0): QueuedPrediction {
  return {
    id,
    data: {
      model: 'm',
      version: 1,
      rows: 1,
      lane: '8x8',
      bytes: 4,
      form: 'nested',
      shapes: {},
      priority: 'normal',
    },
    runsAs: 'normal',
    createdAtMs: Date.now(),
    attempt: 1,
    failures,
    input: { inline: new Uint8Array(4) },
    resultKey: `result:${id}`,
    cancellation: new CancellationWatch(),
  };
}

function batchOf(ids: readonly string[]): Batch<QueuedPrediction> {
  const entries = ids.map((id) => ({
    rows: 1,
    lane: '8x8',
    priority: 1 as const,
    arrivedAtMs: 0,
    payload: prediction(id),
  }));
  return {
    id: 1,
    lane: '8x8',
    entries,
    rows: ids.length,
    reason: 'full',
    formedAtMs: 0,
    instance: 0,
    prefetched: false,
  };
}

function ran(batch: RunnerBatch): RunnerBatchResult {
  return {
    outcomes: batch.entries.map(({ id }) => ({
      id,
      ok: true,
      result: { inline: new TextEncoder().encode(id) },
    })),
    collateMs: 1,
    inferenceMs: 2,
    splitMs: 1,
    storeMs: 0,
    paddingRatio: 0,
  };
}

function execute(
  ids: readonly string[],
  run: (batch: RunnerBatch) => Promise<RunnerBatchResult>,
  checks: Pick<ExecuteOptions, 'control' | 'isModelBroken' | 'isPadded'> = {},
) {
  const faults: QuernError[] = [];
  let reruns = 0;
  const result = executeBatch(batchOf(ids), {
    runner: { run },
    batchId: 'w.1.1',
    executionProvider: 'cpu',
    ...checks,
    onRun: () => {},
    onFault: (error) => faults.push(error),
    onReruns: (count) => {
      reruns += count;
    },
  });
  return result.then(({ outcomes }) => ({ outcomes, faults, reruns: () => reruns }));
}

/** A model that throws on certain predictions, and takes the whole run with it. */
function throwsOn(guilty: ReadonlySet<string>) {
  return async (batch: RunnerBatch): Promise<RunnerBatchResult> => {
    if (batch.entries.some(({ id }) => guilty.has(id))) {
      throw new RunnerFault('INFERENCE_FAILED', 'index out of bounds', true);
    }
    return ran(batch);
  };
}

describe('executeBatch', () => {
  it('fails exactly the predictions at fault, whichever they are', async () => {
    const ids = Array.from({ length: 32 }, (_, i) => `p${i}`);
    await fc.assert(
      fc.asyncProperty(fc.subarray(ids), async (guilty) => {
        const { outcomes } = await execute(ids, throwsOn(new Set(guilty)));
        const failed = ids.filter((_, i) => outcomes[i]?.ok === false);
        expect(failed).toEqual(guilty);
        ids.forEach((id, i) => {
          const outcome = outcomes[i];
          if (outcome?.ok) expect(outcome.value.output).toBe(Buffer.from(id).toString('base64'));
        });
      }),
      { numRuns: 50 },
    );
  });

  it('tells the runner the lane to pad to, in each part of a bisected batch, if the model pads', async () => {
    const lanes: (string | undefined)[] = [];
    const fail = throwsOn(new Set(['a']));
    const run = (batch: RunnerBatch) => {
      lanes.push(batch.lane);
      return fail(batch);
    };
    await execute(['a', 'b'], run, { isPadded: true });
    expect(new Set(lanes)).toEqual(new Set(['8x8']));
    lanes.length = 0;
    await execute(['a', 'b'], run);
    expect(new Set(lanes)).toEqual(new Set([undefined]));
  });

  it('hands a batch that no model saw to another runner', async () => {
    let calls = 0;
    const { outcomes, faults } = await execute(['a', 'b'], async (batch) => {
      calls += 1;
      if (calls < 3) throw new RunnerFault('RUNNER_CRASHED', 'gone', false);
      return ran(batch);
    });
    expect(outcomes.every(({ ok }) => ok)).toBe(true);
    expect(faults).toHaveLength(0);
  });

  it('does not rerun a hung batch piece by piece', async () => {
    let calls = 0;
    const { outcomes } = await execute(['a', 'b', 'c', 'd'], async () => {
      calls += 1;
      throw new RunnerFault('RUN_TIMEOUT', 'too long', true);
    });
    expect(calls).toBe(1);
    expect(outcomes.every((outcome) => !outcome.ok)).toBe(true);
  });

  it('blames the model, not its inputs, if it fails for a known input too, at the cost of three reruns', async () => {
    const ids = Array.from({ length: 64 }, (_, i) => `p${i}`);
    const broken = new RunnerFault('INFERENCE_FAILED', 'device lost', true);
    let runs = 0;
    const { outcomes, reruns } = await execute(
      ids,
      async () => {
        runs += 1;
        throw broken;
      },
      { control: () => Promise.reject(broken) },
    );
    expect(runs).toBe(3);
    expect(reruns()).toBe(3);
    for (const outcome of outcomes) {
      // Others may run it, or the same worker later.
      expect(outcome).toMatchObject({
        ok: false,
        error: {
          code: 'MODEL_UNAVAILABLE',
          retryable: true,
          message: expect.stringContaining('device lost'),
        },
      });
    }
  });

  it('fails no prediction of its own while the model is known to be broken', async () => {
    const broken = new RunnerFault('INFERENCE_FAILED', 'device lost', true);
    const run = () => Promise.reject(broken);
    const alone = async (isBroken: boolean) =>
      (await execute(['a'], run, { isModelBroken: async () => isBroken })).outcomes;
    expect(await alone(true)).toMatchObject([{ ok: false, error: { code: 'MODEL_UNAVAILABLE' } }]);
    expect(await alone(false)).toMatchObject([{ ok: false, error: { code: 'INFERENCE_FAILED' } }]);
  });

  it('keeps the outcome of a prediction that failed by itself', async () => {
    const { outcomes } = await execute(['a', 'b'], async (batch) => ({
      ...ran(batch),
      outcomes: [
        {
          id: 'a',
          ok: false,
          error: { code: 'PAYLOAD_MISSING', message: 'gone', retryable: false },
        },
        { id: 'b', ok: true, result: { key: 'result:b', bytes: 9000 } },
      ],
    }));
    const [a, b] = outcomes;
    expect(a).toMatchObject({ ok: false, error: { code: 'PAYLOAD_MISSING' } });
    expect(a?.ok === false && a.error).toBeInstanceOf(QuernError);
    expect(b).toMatchObject({
      ok: true,
      value: { outputKey: 'result:b', bytes: 9000, batchRows: 2 },
    });
  });
});

describe('toEntry', () => {
  it('lets a prediction that failed in company run alone, and no other', () => {
    expect(toEntry(prediction('a'), 7)).toMatchObject({ lane: '8x8', alone: false });
    expect(toEntry(prediction('b', 1), 7)).toMatchObject({ lane: '8x8', alone: true });
  });
});
