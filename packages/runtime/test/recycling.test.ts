import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import {
  type RecycleEvent,
  RunnerPool,
  type RunnerPoolOptions,
  type RunnerPoolStatus,
} from '../src/index.ts';
import { DEFAULT_RECYCLE_POLICY, recycleReason } from '../src/runner/recycle-policy.ts';
import { Recycler } from '../src/runner/recycler.ts';
import {
  ENDLESS,
  entry,
  fixtureModel,
  fixturePath,
  floats,
  fp32,
  launch,
  looping,
  outputsOf,
  pair,
  RUNNER_ENTRY,
  runStarted,
  SOURCE_ARGS,
  temporaryDir,
} from './harness/runners.ts';

function openPool(options: Pick<RunnerPoolOptions, 'model'> & Partial<RunnerPoolOptions>) {
  const told: RunnerPoolStatus[] = [];
  const recycles: RecycleEvent[] = [];
  const pool = new RunnerPool({
    entry: RUNNER_ENTRY,
    execArgv: SOURCE_ARGS,
    instances: 1,
    onStateChange: (status) => told.push(status),
    onRecycle: (event) => recycles.push(event),
    ...options,
    env: { ...process.env, QUERN_TEST_PAYLOADS: temporaryDir() },
  });
  onTestFinished(() => pool.close({ graceMs: 0 }));
  return { pool, told, recycles };
}

const until = (condition: () => boolean) => vi.waitUntil(condition, { timeout: 40_000 });

describe('a runner that has grown or is old', () => {
  test('is replaced under load: every batch is answered, and no instance is missing meanwhile', async () => {
    const { pool, told, recycles } = openPool({
      model: fixtureModel('add'),
      instances: 2,
      recycle: { maxMemoryGrowthBytes: 1, pauseFactor: 0 },
    });
    await until(() => pool.status.readyInstances === 2);
    const toldBefore = told.length;
    let batches = 0;
    const keepBusy = async () => {
      while (recycles.length < 2) {
        const id = ++batches;
        const rows = 8;
        const filled = (name: string) => fp32(name, [rows, 3], Array<number>(rows * 3).fill(id));
        const result = await pool.run({
          batchId: `b-${id}`,
          entries: [entry(`e-${id}`, rows, [filled('a'), filled('b')])],
        });
        expect(floats(outputsOf(result)[0])).toEqual(Array<number>(rows * 3).fill(2 * id));
      }
    };
    await Promise.all([keepBusy(), keepBusy(), keepBusy(), keepBusy(), keepBusy()]);
    expect(recycles.every(({ reason, failure }) => reason === 'memory' && !failure)).toBe(true);
    for (const { vitals } of recycles) {
      expect(vitals.rssBytes).toBeGreaterThan(vitals.initialRssBytes);
    }
    const ready = told.slice(toldBefore).map(({ readyInstances }) => readyInstances);
    expect(ready.every((instances) => instances === 2)).toBe(true);
  });

  test('serves on if its successor does not load, and is replaced once one does', async () => {
    const modelPath = join(temporaryDir(), 'model.onnx');
    copyFileSync(fixturePath('add'), modelPath);
    const { pool, recycles } = openPool({
      model: fixtureModel('add', { modelPath }),
      recycle: { maxMemoryGrowthBytes: 1, pauseFactor: 0 },
    });
    await until(() => pool.status.state === 'ready');
    copyFileSync(fixturePath('corrupt'), modelPath);
    const batch = { batchId: 'b', entries: [entry('1', 1, pair(1, 2))] };
    const runUntil = async (condition: () => boolean) => {
      while (!condition()) expect((await pool.run(batch)).outcomes).toMatchObject([{ ok: true }]);
    };
    await runUntil(() => recycles.length > 0);
    expect(recycles[0]?.failure).toContain('rotobuf parsing failed');
    expect(pool.status).toMatchObject({ state: 'ready', readyInstances: 1 });
    expect(pool.status.reason).toBeUndefined();
    copyFileSync(fixturePath('add'), modelPath);
    await runUntil(() => recycles.at(-1)?.failure === undefined);
    expect((await pool.run(batch)).outcomes).toMatchObject([{ ok: true }]);
  });

  test('that dies before its successor is ready leaves it the place', async () => {
    const { pool, recycles } = openPool({
      model: fixtureModel('loop', { runTimeoutMs: 300 }),
      recycle: { maxAgeMs: 1 },
      // A respawn beside the successor would be seen as an endless wait.
      respawn: { firstDelayMs: 60_000 },
    });
    const hung = pool.run({ batchId: 'hung', entries: [looping('a', ENDLESS)] });
    await expect(hung).rejects.toMatchObject({ code: 'RUN_TIMEOUT', started: true });
    const result = await pool.run({ batchId: 'next', entries: [looping('b', 3n)] });
    expect(result.outcomes).toMatchObject([{ ok: true }]);
    await until(() => recycles.length === 1);
    expect(recycles[0]).toMatchObject({ reason: 'age' });
  });

  test('ends what it holds before its process ends', async () => {
    const { runner } = launch(fixtureModel('loop'));
    await runner.ready;
    const running = await runStarted(runner, { batchId: 'a', entries: [looping('a', 200_000n)] });
    const behind = runner.run({ batchId: 'b', entries: [looping('b', 3n)] });
    const retired = runner.retire();
    expect(runner.freePlaces).toBe(0);
    expect((await running.result).outcomes).toMatchObject([{ ok: true }]);
    expect((await behind).outcomes).toMatchObject([{ ok: true }]);
    await retired;
    expect(await runner.exited).toMatchObject({ code: 0, signal: null });
  });
});

test('replaces one at a time, the oldest first, with a pause that grows with what it took', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  onTestFinished(() => void vi.useRealTimers());
  const replaced: string[] = [];
  const slot = (name: string, bornAtMs: number) => ({
    get vitals() {
      return { ageMs: performance.now() - bornAtMs, initialRssBytes: 1, rssBytes: 1 };
    },
    replace: async () => {
      bornAtMs = performance.now() + 100;
      replaced.push(`${name} starts`);
      await new Promise((resolve) => setTimeout(resolve, 100));
      replaced.push(`${name} ends`);
    },
  });
  const recycler = new Recycler({
    slots: [slot('young', performance.now() - 10), slot('old', performance.now() - 20)],
    policy: { ...DEFAULT_RECYCLE_POLICY, maxAgeMs: 10 },
    onRecycle: () => {},
  });
  onTestFinished(() => recycler.close());
  recycler.consider();
  recycler.consider();
  await vi.advanceTimersByTimeAsync(1099);
  recycler.consider();
  expect(replaced).toEqual(['old starts', 'old ends']);
  await vi.advanceTimersByTimeAsync(1);
  expect(replaced).toEqual(['old starts', 'old ends', 'young starts']);
  recycler.close();
  await vi.advanceTimersByTimeAsync(100_000);
  expect(replaced).toHaveLength(4);
});

test('memory may grow by half a gigabyte, or double, unless told otherwise', () => {
  fc.assert(
    fc.property(fc.nat(2 ** 34), fc.nat(2 ** 34), (initialRssBytes, growth) => {
      const vitals = { ageMs: 1e9, initialRssBytes, rssBytes: initialRssBytes + growth };
      const isTooMuch = growth > 2 ** 29 && growth > initialRssBytes;
      expect(recycleReason(vitals, DEFAULT_RECYCLE_POLICY)).toBe(isTooMuch ? 'memory' : undefined);
      const off = { ...DEFAULT_RECYCLE_POLICY, maxMemoryGrowthBytes: 'off' } as const;
      expect(recycleReason(vitals, off)).toBeUndefined();
      expect(recycleReason(vitals, { ...off, maxAgeMs: 1e9 })).toBe('age');
      expect(recycleReason(vitals, { ...off, maxAgeMs: 1e9 + 1 })).toBeUndefined();
    }),
  );
});
