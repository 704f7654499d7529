import { describe, expect, it } from 'vitest';
import { runInProcess } from './run-in-process.ts';
import { StandInApi, wireModel } from './stand-in-api.ts';

const broken = wireModel({
  name: 'broken',
  state: 'unhealthy',
  versions: [
    {
      version: '3',
      state: 'unhealthy',
      reason: 'the file is no ONNX model',
      inputs: null,
      outputs: null,
      max_rows: null,
      execution_providers: [],
      instances: 0,
    },
  ],
});

describe('quern models', () => {
  it('lists what is served, and why something is not', async () => {
    const body = { results: [wireModel(), broken] };
    await using api = await StandInApi.start(() => ({ status: 200, body }));
    const run = await runInProcess(['models', '--url', api.url]);
    expect(run.stdout.split('\n')).toEqual([
      'MODEL   VERSION  STATE      PROVIDER  INSTANCES  WAITING  ROWS/S  MEAN BATCH',
      'digits        1  ready      cpu               1        3      25           8',
      'broken        3  unhealthy  -                 0        3      25           8',
      '',
      'broken 3: the file is no ONNX model',
      '',
    ]);
  });

  it('says how to add the first model', async () => {
    await using api = await StandInApi.start(() => ({ status: 200, body: { results: [] } }));
    const run = await runInProcess(['models', '--url', api.url]);
    expect(run.stdout).toContain('models/NAME/1/model.onnx');
  });

  it('shows one model with inputs, outputs and labels', async () => {
    await using api = await StandInApi.start(() => ({ status: 200, body: wireModel() }));
    const run = await runInProcess(['models', 'digits', '--url', api.url]);
    expect(api.calls).toEqual(['GET /v1/models/digits']);
    for (const text of [
      'digits: Recognises digits',
      '3 waiting, 1 active, oldest 1.5 s',
      'version 1: ready (cpu, 1 instance, up to 64 rows)',
      'takes    image  FP32 [?, 1, 8, 8]',
      'gives    probabilities  FP32 [?, 3]',
      'labels   zero, one, two',
    ]) {
      expect(run.stdout).toContain(text);
    }
  });

  it('shows what a version has done', async () => {
    const [version] = wireModel()['versions'] as Record<string, unknown>[];
    const stats = {
      batches: 8,
      failed: 0,
      expired: 2,
      reruns: 5,
      quarantined: 0,
      recycled: 0,
      batch_rows: [
        { up_to: 1, batches: 2 },
        { up_to: 32, batches: 6 },
      ],
      fill_ratio: 0.756,
      padding_ratio: 0.1,
      mean_ms: { queue: 1500, collate: 0.3, inference: 12.2, split: 0.1, store: 0 },
      reasons: { idle: 2, full: 6 },
    };
    const body = wireModel({ versions: [{ ...version, stats }] });
    await using api = await StandInApi.start(() => ({ status: 200, body }));
    const run = await runInProcess(['models', 'digits', '--url', api.url]);
    for (const text of [
      'batches  8, 75.6 % full, padding 10.0 %',
      'sizes    1 25 %, <=32 75 %',
      'reasons  full 75 %, idle 25 %',
      'times    queue 1.5 s, collate 0.3 ms, inference 12 ms, split 0.1 ms, store 0 ms',
      'troubles 2 expired, 5 reruns',
    ]) {
      expect(run.stdout).toContain(text);
    }
  });

  it('hands on everything the API says with --json, also what it does not know itself', async () => {
    const model = wireModel({ extra: { nested: [1] } });
    await using api = await StandInApi.start(() => ({ status: 200, body: model }));
    const run = await runInProcess(['models', 'digits', '--json', '--url', api.url]);
    expect(JSON.parse(run.stdout)).toEqual(model);
  });
});

describe('quern models load and unload', () => {
  it.each(['load', 'unload'])('has the workers %s a model', async (action) => {
    await using api = await StandInApi.start(() => ({ status: 200, body: {} }));
    const run = await runInProcess(['models', action, 'digits', '--url', api.url]);
    expect(api.calls).toEqual([`POST /v2/repository/models/digits/${action}`]);
    expect(run.stdout).toBe(`digits is ${action}ed.\n`);
  });

  it('says what is wrong with the folder', async () => {
    const error = 'MODEL_LOAD_FAILED: Model digits could not be loaded: model.yaml:2:3: bad';
    await using api = await StandInApi.start(() => ({ status: 400, body: { error } }));
    const run = await runInProcess(['models', 'load', 'digits', '--url', api.url]);
    expect(run.error).toMatchObject({
      code: 'MODEL_LOAD_FAILED',
      message: expect.stringContaining('model.yaml:2:3: bad'),
    });
  });
});
