import { decodeTensors, encodeTensors } from '@quern/contract';
import { describe, expect, test } from 'vitest';
import type { RunnerModel } from '../src/index.ts';
import { collate, EntryDecoder } from '../src/session/collate.ts';
import { splitOutputs } from '../src/session/split.ts';
import { fp32 } from './harness/runners.ts';
import { openSession } from './harness/sessions.ts';

async function load(name: string, overrides: Partial<RunnerModel> = {}) {
  return (await openSession(name, overrides)).loaded;
}

describe('the signature', () => {
  test('has names, datatypes and shapes of inputs and outputs, -1 where dynamic', async () => {
    const { signature } = await load('conv');
    expect(signature).toEqual({
      inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 3, 8, 8] }],
      outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 5] }],
      batchable: true,
      maxRows: 8,
    });
  });

  test('carries what model.yaml says about an input', async () => {
    const { signature } = await load('add', { inputs: { b: { allowNonFinite: true } } });
    expect(signature.inputs.map((input) => input.allowNonFinite)).toEqual([undefined, true]);
  });

  test('leaves out an output that is a sequence, with a warning', async () => {
    const { signature, warnings } = await load('sequence-output');
    expect(signature.outputs.map(({ name }) => name)).toEqual(['label']);
    expect(warnings).toEqual([expect.stringContaining('output probabilities is left out')]);
  });

  test('takes the rank of an undeclared output from a run', async () => {
    const { signature } = await load('unknown-shape');
    expect(signature).toMatchObject({ batchable: true, outputs: [{ shape: [-1, -1] }] });
  });
});

describe('rows are stacked only where that is right', () => {
  test.each([
    ['fixed-batch', 'input x is exported for a batch of 1'],
    ['scalar-input', 'input scale is a scalar'],
    ['no-batch-output', 'output y has the shape [] for 2 rows'],
    ['baked-batch', 'a run of 2 rows fails'],
    ['merged-rows', 'output y has the shape [1,8] for 2 rows'],
    ['mixing-rows', 'answers the same row differently when another row is beside it'],
  ])('%s runs one by one: %s', async (name, why) => {
    const { signature, warnings } = await load(name);
    expect(signature).toMatchObject({ batchable: false, maxRows: 1 });
    expect(warnings).toEqual([expect.stringContaining(why)]);
  });

  test('randomness is not taken for the influence of a neighbour', async () => {
    const { signature, warnings } = await load('random');
    expect(signature.batchable).toBe(true);
    expect(warnings).toEqual([]);
  });

  test('no claim is made without a run', async () => {
    const off = { warmup: { enabled: false, budgetMs: 50 } };
    expect((await load('unknown-shape', off)).signature.batchable).toBe(false);
    expect((await load('add', off)).signature.batchable).toBe(true);
    expect((await load('add', off)).warmupProfile).toEqual([]);
  });
});

describe('a model that cannot be served says why', () => {
  test.each([
    ['corrupt', 'MODEL_UNAVAILABLE', 'Load model from model.onnx failed'],
    ['sequence-input', 'MODEL_UNAVAILABLE', 'input xs cannot be fed: it is a sequence'],
    ['only-sequence-output', 'MODEL_UNAVAILABLE', 'no output that is a tensor'],
    ['bfloat16-input', 'MODEL_UNAVAILABLE', 'Unsupported data type'],
    ['always-fails', 'MODEL_UNAVAILABLE', 'the warm-up run on zeros failed: '],
    ['not-there', 'MODEL_UNAVAILABLE', "File doesn't exist"],
  ])('%s', async (name, code, message) => {
    const loading = openSession(name);
    await expect(loading).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message),
    });
  });

  type Told = { inputs?: RunnerModel['inputs']; shapes?: Record<string, number[]> };
  test.each<[Told, string]>([
    [{ inputs: { y: {} } }, 'model.yaml: inputs.y: the model has no such input, expected x'],
    [{ shapes: { y: [1] } }, 'model.yaml: warmup.shapes.y: the model has no such input'],
    [{ shapes: { x: [1, 3, 9, 8] } }, 'warmup.shapes.x: got [1,3,9,8], expected [-1,3,8,8]'],
  ])('%j is not what the model has', async ({ inputs = {}, shapes }, message) => {
    const loading = openSession('conv', {
      inputs,
      warmup: { enabled: true, budgetMs: 50, shapes },
    });
    await expect(loading).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining(message),
    });
  });
});

describe('the warm-up', () => {
  test('measures powers of two and the largest batch', async () => {
    const { warmupProfile, shapesGuessed } = await load('add', {
      maxBatchSize: 12,
      warmup: { enabled: true, budgetMs: 10_000 },
    });
    expect(warmupProfile.map(({ rows }) => rows)).toEqual([1, 2, 4, 8, 12]);
    expect(warmupProfile.every(({ timeMs }) => timeMs > 0)).toBe(true);
    expect(shapesGuessed).toBe(false);
  });

  test('stops at its budget, but knows the time of one row', async () => {
    const { warmupProfile } = await load('steady-loop', {
      maxBatchSize: 1024,
      warmup: { enabled: true, budgetMs: 1 },
    });
    expect(warmupProfile[0]?.rows).toBe(1);
    expect(warmupProfile.length).toBeLessThan(11);
  });

  test('finds lengths that the model takes', async () => {
    const { signature, warmupProfile, shapesGuessed } = await load('halves');
    expect(signature.batchable).toBe(true);
    expect(shapesGuessed).toBe(true);
    expect(warmupProfile.length).toBeGreaterThan(0);
  });

  test('warns where no guess fits, and works with the shapes of model.yaml', async () => {
    const guessing = await load('needs-three');
    expect(guessing).toMatchObject({ warmupProfile: [], shapesGuessed: true });
    expect(guessing.warnings).toEqual([expect.stringContaining('give them as warmup.shapes')]);
    const told = await load('needs-three', {
      warmup: { enabled: true, budgetMs: 50, shapes: { x: [1, 3] } },
    });
    expect(told).toMatchObject({ shapesGuessed: false, warnings: [] });
    expect(told.warmupProfile.length).toBeGreaterThan(0);
  });
});

describe('execution providers', () => {
  test('the next in the list is taken where one does not work', async () => {
    const { executionProvider, fallbacks, warnings } = await load('add', {
      executionProviders: ['cuda', 'cpu'],
    });
    expect(executionProvider).toBe('cpu');
    expect(fallbacks).toEqual([{ provider: 'cuda', reason: expect.stringMatching(/./) }]);
    expect(warnings).toEqual([expect.stringContaining('cuda does not work here, cpu is used')]);
  });

  test('cpu is the last resort even where it is not listed', async () => {
    const { executionProvider, warnings } = await load('add', { executionProviders: ['cuda'] });
    expect(executionProvider).toBe('cpu');
    expect(warnings).toHaveLength(1);
  });

  test('a broken model is reported for each provider', async () => {
    const loading = openSession('corrupt', { executionProviders: ['cuda', 'cpu'] });
    await expect(loading).rejects.toThrow(/cuda: .*; cpu: /);
  });
});

test('several threads give the same answers as one', async () => {
  const input = fp32(
    'x',
    [2, 3, 8, 8],
    Array.from({ length: 384 }, (_, i) => Math.sin(i)),
  );
  const answers = await Promise.all(
    [1, 2].map(async (threads) => {
      const session = await openSession('conv', { threads });
      const { signature } = session.loaded;
      const decoded = new EntryDecoder(signature).decode(encodeTensors([input]), 2);
      const outputs = await session.run(collate([decoded], signature), ['y'], 1);
      const [message] = splitOutputs(outputs, [{ rows: 2 }], session.loaded.signature);
      return decodeTensors(message ?? new Uint8Array());
    }),
  );
  expect(answers[0]?.[0]?.shape).toEqual([2, 5]);
  expect(answers[0]).toEqual(answers[1]);
});
