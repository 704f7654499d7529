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

  it('hands on everything the API says with --json, also what it does not know itself', async () => {
    const model = wireModel({ extra: { nested: [1] } });
    await using api = await StandInApi.start(() => ({ status: 200, body: model }));
    const run = await runInProcess(['models', 'digits', '--json', '--url', api.url]);
    expect(JSON.parse(run.stdout)).toEqual(model);
  });
});
