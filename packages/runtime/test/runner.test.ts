import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { decodeTensors, encodeTensors } from '@quern/contract';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { inspectModel, RunnerFault } from '../src/index.ts';
import {
  ENDLESS,
  entry,
  fixtureModel,
  fixturePath,
  floats,
  fp32,
  int64,
  launch,
  launchShared,
  looping,
  outputsOf,
  pair,
  runStarted,
  SOURCE_ARGS,
  type TestRunner,
} from './harness/runners.ts';

describe('a runner', () => {
  let add: TestRunner;
  beforeAll(() => {
    add = launchShared(fixtureModel('add'));
  });
  afterAll(() => add.dispose());

  test('runs predictions of several rows as one batch and gives each its own', async () => {
    const { runner } = add;
    await runner.ready;
    const result = await runner.run({
      batchId: 'b',
      entries: [
        entry('one', 1, pair(1, 2)),
        entry('two', 2, [
          fp32('a', [2, 3], [3, 3, 3, 4, 4, 4]),
          fp32('b', [2, 3], [1, 1, 1, 2, 2, 2]),
        ]),
      ],
    });
    expect(result.outcomes.map(({ id, ok }) => [id, ok])).toEqual([
      ['one', true],
      ['two', true],
    ]);
    expect(outputsOf(result, 0).map(floats)).toEqual([
      [3, 3, 3],
      [2, 2, 2],
    ]);
    const [sum, product] = outputsOf(result, 1);
    expect(sum).toMatchObject({ name: 'sum', shape: [2, 3] });
    expect(floats(sum)).toEqual([4, 4, 4, 6, 6, 6]);
    expect(floats(product)).toEqual([3, 3, 3, 8, 8, 8]);
    for (const timeMs of [result.collateMs, result.inferenceMs, result.splitMs, result.storeMs]) {
      expect(timeMs).toBeGreaterThanOrEqual(0);
    }
  });

  test('reads inputs from the payload store and stores large results there', async () => {
    const { runner, payloadsDir } = add;
    await runner.ready;
    writeFileSync(join(payloadsDir, 'input-1'), encodeTensors(pair(1, 2)));
    const stored = { id: 'stored', rows: 1, input: { key: 'input-1' }, resultKey: 'result-1' };
    const limit = 150;
    const result = await runner.run({
      batchId: 'b',
      inlineResultBytes: limit,
      entries: [stored, { ...entry('inline', 1, pair(3, 4)), outputs: ['sum'] }],
    });
    const file = readFileSync(join(payloadsDir, 'result-1'));
    expect(file.byteLength).toBeGreaterThan(limit);
    expect(result.outcomes[0]).toEqual({
      id: 'stored',
      ok: true,
      result: { key: 'result-1', bytes: file.byteLength },
    });
    expect(decodeTensors(file).map(floats)).toEqual([
      [3, 3, 3],
      [2, 2, 2],
    ]);
    expect(outputsOf(result, 1).map(({ name }) => name)).toEqual(['sum']);
    expect(existsSync(join(payloadsDir, 'result-inline'))).toBe(false);
  });

  test('fails alone an entry whose payload is missing or wrong', async () => {
    const { runner } = add;
    await runner.ready;
    const result = await runner.run({
      batchId: 'b',
      entries: [
        { id: 'gone', rows: 1, input: { key: 'expired' }, resultKey: 'r' },
        entry('sound', 1, pair(1, 2)),
        { ...entry('garbled', 1, []), input: { inline: new Uint8Array([1, 2, 3]) } },
        entry('narrow', 1, [fp32('a', [1, 2], [1, 2]), fp32('b', [1, 2], [1, 2])]),
        { ...entry('curious', 1, pair(1, 2)), outputs: ['difference'] },
      ],
    });
    expect(floats(outputsOf(result, 1)[0])).toEqual([3, 3, 3]);
    const codes = result.outcomes.map((outcome) => (outcome.ok ? 'ok' : outcome.error.code));
    expect(codes).toEqual([
      'PAYLOAD_MISSING',
      'ok',
      'INVALID_INPUT',
      'INVALID_INPUT',
      'INVALID_INPUT',
    ]);
    expect(JSON.stringify(result.outcomes)).toContain('expected sum, product');
  });

  test('answers a batch of which nothing is left to run', async () => {
    const { runner } = add;
    await runner.ready;
    const gone = { id: 'gone', rows: 1, input: { key: 'expired' }, resultKey: 'r' };
    const result = await runner.run({ batchId: 'b', entries: [gone] });
    expect(result).toMatchObject({ outcomes: [{ ok: false }], inferenceMs: 0 });
  });

  test.each([
    ['is away, and the batch may be tried again', 'unreachable', 'REDIS_UNAVAILABLE', false],
    ['has a bug, which counts', 'buggy', 'INTERNAL', true],
  ])('rejects the batch when the payload store %s', async (_, key, code, started) => {
    const { runner } = add;
    await runner.ready;
    const lost = { id: '1', rows: 1, input: { key }, resultKey: 'r' };
    const run = runner.run({ batchId: 'b', entries: [lost, entry('2', 1, pair(1, 2))] });
    await expect(run).rejects.toMatchObject({ code, started });
  });

  test('rejects the batch when the model refuses it, and goes on', async () => {
    const { runner } = launch(fixtureModel('gather'));
    await runner.ready;
    const indexed = (id: string, index: bigint) => entry(id, 1, [int64('index', [1], [index])]);
    const refused = runner.run({ batchId: 'b', entries: [indexed('1', 3n), indexed('2', 99n)] });
    await expect(refused).rejects.toBeInstanceOf(RunnerFault);
    await expect(refused).rejects.toMatchObject({
      code: 'INFERENCE_FAILED',
      started: true,
      message: expect.stringContaining('idx=99'),
    });
    const result = await runner.run({ batchId: 'c', entries: [indexed('1', 3n)] });
    expect(floats(outputsOf(result)[0])).toEqual([6, 7]);
  });

  test('tells running out of memory apart', async () => {
    const { runner } = launch(fixtureModel('expand'));
    await runner.ready;
    const huge = entry('huge', 1, [int64('x', [1, 1], [10n ** 13n])]);
    await expect(runner.run({ batchId: 'b', entries: [huge] })).rejects.toMatchObject({
      code: 'OUT_OF_MEMORY',
      started: true,
    });
  });

  test('gives a model without a batch axis its whole input', async () => {
    const { runner } = launch(fixtureModel('scalar-input'));
    const { signature } = await runner.ready;
    expect(signature.batchable).toBe(false);
    const tensors = [fp32('x', [2, 4], [1, 2, 3, 4, 5, 6, 7, 8]), fp32('scale', [], [10])];
    const result = await runner.run({ batchId: 'b', entries: [entry('1', 1, tensors)] });
    expect(outputsOf(result)[0]?.shape).toEqual([2, 4]);
    expect(floats(outputsOf(result)[0])).toEqual([10, 20, 30, 40, 50, 60, 70, 80]);
  });

  test('leaves the event loop of its parent free and prepares the next batch while one runs', async () => {
    const { runner, payloadsDir } = launch(fixtureModel('loop'));
    await runner.ready;
    const { result } = await runStarted(runner, { batchId: 'a', entries: [looping('a', ENDLESS)] });
    let hasEnded = false;
    result.catch(() => {
      hasEnded = true;
    });
    const { input, ...rest } = looping('b', 1n);
    if (!('inline' in input)) throw new Error('expected an inline input');
    writeFileSync(join(payloadsDir, 'input-b'), input.inline);
    const nextStarted = vi.fn();
    const batch = { batchId: 'b', entries: [{ ...rest, input: { key: 'input-b' } }] };
    runner.run(batch, { onStarted: nextStarted }).catch(() => {});
    // The store notes what it was asked for.
    await vi.waitUntil(() => existsSync(join(payloadsDir, 'asked-input-b')), { timeout: 20_000 });
    for (let tick = 0; tick < 20; tick++) await delay(1);
    expect(hasEnded).toBe(false);
    expect(nextStarted).not.toHaveBeenCalled();
    expect(runner.freePlaces).toBe(0);
  });

  test('ends when closed, after the batches that it has, and takes no more', async () => {
    const { runner, payloadsDir } = launch(fixtureModel('loop'));
    await runner.ready;
    const results = ['a', 'b'].map((id) =>
      runner.run({ batchId: id, entries: [looping(id, 5000n)] }),
    );
    const closing = runner.close();
    expect(runner.close()).toBe(closing);
    await expect(runner.run({ batchId: 'c', entries: [] })).rejects.toMatchObject({
      code: 'SHUTTING_DOWN',
      started: false,
    });
    await closing;
    for (const result of await Promise.all(results)) {
      expect(result.outcomes).toMatchObject([{ ok: true }]);
    }
    expect(await runner.exited).toMatchObject({ code: 0, signal: null });
    expect(existsSync(join(payloadsDir, 'closed'))).toBe(true);
  });

  test('is ended when its grace is over', async () => {
    const { runner } = launch(fixtureModel('loop'));
    await runner.ready;
    const { result } = await runStarted(runner, { batchId: 'a', entries: [looping('a', ENDLESS)] });
    const refused = expect(result).rejects.toMatchObject({ code: 'SHUTTING_DOWN', started: true });
    await runner.close({ graceMs: 20 });
    await refused;
    expect(await runner.exited).toMatchObject({ signal: 'SIGKILL' });
  });

  test('leaves the signals of a terminal to its parent', async () => {
    const { runner } = add;
    await runner.ready;
    const { pid } = runner;
    if (pid === undefined) throw new Error('the runner has no process');
    process.kill(pid, 'SIGINT');
    process.kill(pid, 'SIGTERM');
    const result = await runner.run({ batchId: 'b', entries: [entry('1', 1, pair(1, 2))] });
    expect(result.outcomes).toMatchObject([{ ok: true }]);
  });
});

describe('inspecting a file', () => {
  const options = { execArgv: SOURCE_ARGS };

  test('tells what a model takes and how it runs', async () => {
    const found = await inspectModel(fixturePath('conv'), {
      ...options,
      model: { maxBatchSize: 4, maxRowsPerPrediction: 40 },
    });
    expect(found).toMatchObject({
      signature: { batchable: true, maxRows: 40 },
      executionProvider: 'cpu',
    });
  });

  test('of a model that cannot be served says why', async () => {
    await expect(inspectModel(fixturePath('corrupt'), options)).rejects.toMatchObject({
      code: 'MODEL_UNAVAILABLE',
      message: expect.stringContaining('rotobuf parsing failed'),
    });
  });
});
