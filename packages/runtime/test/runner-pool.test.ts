import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { RunnerPool, type RunnerPoolOptions, type RunnerPoolStatus } from '../src/index.ts';
import { DEFAULT_RESPAWN_POLICY, respawnDelayMs } from '../src/runner/respawn-policy.ts';
import {
  ENDLESS,
  entry,
  fixtureModel,
  fixturePath,
  floats,
  looping,
  outputsOf,
  pair,
  RUNNER_ENTRY,
  runStarted,
  SOURCE_ARGS,
  temporaryDir,
} from './harness/runners.ts';

interface TestPool {
  readonly pool: RunnerPool;
  /** Every status that it has told. */
  readonly told: RunnerPoolStatus[];
}

function openPool(
  options: Pick<RunnerPoolOptions, 'model'> & Partial<RunnerPoolOptions>,
): TestPool {
  const told: RunnerPoolStatus[] = [];
  const pool = new RunnerPool({
    entry: RUNNER_ENTRY,
    execArgv: SOURCE_ARGS,
    instances: 1,
    onStateChange: (status) => told.push(status),
    ...options,
    env: { ...process.env, QUERN_TEST_PAYLOADS: temporaryDir() },
  });
  onTestFinished(() => pool.close({ graceMs: 0 }));
  return { pool, told };
}

const until = (condition: () => boolean) => vi.waitUntil(condition, { timeout: 40_000 });

describe('a pool of runners', () => {
  test('runs a batch that came before the model was loaded', async () => {
    const { pool, told } = openPool({ model: fixtureModel('add') });
    expect(pool.status).toEqual({ state: 'loading', readyInstances: 0 });
    const result = await pool.run({ batchId: 'b', entries: [entry('1', 1, pair(1, 2))] });
    expect(floats(outputsOf(result)[0])).toEqual([3, 3, 3]);
    expect(told[0]).toMatchObject({
      state: 'ready',
      readyInstances: 1,
      loaded: { executionProvider: 'cpu', signature: { batchable: true } },
    });
  });

  test('uses idle runners first, then the place behind a run, then makes batches wait', async () => {
    const { pool } = openPool({ model: fixtureModel('loop'), instances: 2 });
    await until(() => pool.status.readyInstances === 2);
    expect(pool.freePlaces).toBe(4);
    const endless = (id: string) => ({ batchId: id, entries: [looping(id, ENDLESS)] });
    // Both start, so each has a runner of its own.
    const running = await Promise.all([
      runStarted(pool, endless('a')),
      runStarted(pool, endless('b')),
    ]);
    const prefetched = [pool.run(endless('c')), pool.run(endless('d'))];
    expect(pool.freePlaces).toBe(0);
    const waiting = pool.run(endless('e'));
    const ends = Promise.allSettled([
      ...running.map(({ result }) => result),
      ...prefetched,
      waiting,
    ]);
    await pool.close({ graceMs: 0 });
    const started = (await ends).map((end) => end.status === 'rejected' && end.reason.started);
    expect(started).toEqual([true, true, false, false, false]);
    await expect(pool.run(endless('f'))).rejects.toMatchObject({
      code: 'SHUTTING_DOWN',
      started: false,
    });
  });

  test('starts a runner again that had to be ended', async () => {
    const { pool, told } = openPool({
      model: fixtureModel('loop', { runTimeoutMs: 1000 }),
      respawn: { firstDelayMs: 1 },
    });
    const hung = pool.run({ batchId: 'hung', entries: [looping('a', ENDLESS)] });
    await expect(hung).rejects.toMatchObject({ code: 'RUN_TIMEOUT', started: true });
    const result = await pool.run({ batchId: 'next', entries: [looping('b', 3n)] });
    expect(result.outcomes).toMatchObject([{ ok: true }]);
    expect(told.map(({ state }) => state)).toEqual(['ready', 'loading', 'ready']);
    expect(told[1]?.loaded).toBeDefined();
  });

  test('of a model that does not load is unhealthy, and well again when the file is', async () => {
    const modelPath = join(temporaryDir(), 'model.onnx');
    copyFileSync(fixturePath('corrupt'), modelPath);
    const { pool, told } = openPool({
      model: fixtureModel('add', { modelPath }),
      respawn: { firstDelayMs: 1, failuresUntilUnhealthy: 2, unhealthyDelayMs: 50 },
    });
    const batch = { batchId: 'b', entries: [entry('1', 1, pair(1, 2))] };
    const refusal = {
      code: 'MODEL_UNAVAILABLE',
      started: false,
      message: expect.stringContaining('rotobuf parsing failed'),
    };
    // It waits through the first failure and is refused with the second.
    await expect(pool.run(batch)).rejects.toMatchObject(refusal);
    expect(pool.status).toMatchObject({ state: 'unhealthy', readyInstances: 0 });
    await expect(pool.run(batch)).rejects.toMatchObject(refusal);
    copyFileSync(fixturePath('add'), modelPath);
    await until(() => pool.status.state === 'ready');
    expect(pool.status.reason).toBeUndefined();
    expect((await pool.run(batch)).outcomes).toMatchObject([{ ok: true }]);
    expect(told.map(({ state }) => state).slice(0, 2)).toEqual(['loading', 'unhealthy']);
  });

  test('closed between two tries stays closed', async () => {
    const { pool, told } = openPool({
      model: fixtureModel('corrupt'),
      respawn: { firstDelayMs: 1, failuresUntilUnhealthy: 1, unhealthyDelayMs: 20_000 },
    });
    await until(() => pool.status.state === 'unhealthy');
    const closing = pool.close();
    expect(pool.close()).toBe(closing);
    await closing;
    expect(told).toHaveLength(1);
  });
});

describe('a control run', () => {
  const control = { batchId: 'control', entries: [], control: true } as const;

  test('runs what the warm-up ran', async () => {
    const { pool } = openPool({ model: fixtureModel('add') });
    expect(await pool.run(control)).toMatchObject({ outcomes: [] });
    expect(pool.status.loaded?.canControl).toBe(true);
  });

  test('is nothing where no warm-up was', async () => {
    const { pool } = openPool({
      model: fixtureModel('always-fails', { warmup: { enabled: false, budgetMs: 1 } }),
    });
    expect(await pool.run(control)).toMatchObject({ outcomes: [] });
    expect(pool.status.loaded?.canControl).toBe(false);
  });
});

test('a restart ends what runs and waits, and brings new runners', async () => {
  const { pool, told } = openPool({ model: fixtureModel('loop') });
  await until(() => pool.status.state === 'ready');
  const { result } = await runStarted(pool, { batchId: 'a', entries: [looping('a', ENDLESS)] });
  const waiting = ['b', 'c'].map((id) => pool.run({ batchId: id, entries: [looping(id, 1n)] }));
  const ended = Promise.allSettled([result, ...waiting]);
  await pool.restart();
  for (const end of await ended) {
    expect(end).toMatchObject({ status: 'rejected', reason: { code: 'SHUTTING_DOWN' } });
  }
  expect((await pool.run({ batchId: 'd', entries: [looping('d', 1n)] })).outcomes).toMatchObject([
    { ok: true },
  ]);
  expect(told.map(({ state }) => state)).toContain('loading');
});

test('the delay before a new start grows to its limit, and is long for a model that does not load', () => {
  const delays = [1, 2, 3, 7, 8, 50].map((deaths) =>
    respawnDelayMs({ deaths, failedLoads: 0 }, DEFAULT_RESPAWN_POLICY),
  );
  expect(delays).toEqual([100, 200, 400, 6400, 10_000, 10_000]);
  const failing = [1, 2, 3, 4].map((failures) =>
    respawnDelayMs({ deaths: failures, failedLoads: failures }, DEFAULT_RESPAWN_POLICY),
  );
  expect(failing).toEqual([100, 200, 30_000, 30_000]);
});
