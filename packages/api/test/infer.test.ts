import { QuernError } from '@quern/contract';
import { eventually } from '@quern/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { echo, startEchoWorker } from './echo-worker.ts';
import { RunningApi } from './running-api.ts';

let api: RunningApi;
const workers: { close: () => Promise<void> }[] = [];
beforeAll(async () => {
  api = await RunningApi.start({ syncWaitMs: 3000 });
});
afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.close()));
});
afterAll(() => api.stop());

async function work(model: string, answer = echo): Promise<void> {
  workers.push(await startEchoWorker(api.redisServer.url, model, answer));
}

const INFER = '/v2/models/pair/infer';
const BODY = { inputs: [{ name: 'x', shape: [1, 2], datatype: 'FP32', data: [1.5, -2] }] };

describe('infer', () => {
  test('answers with the outputs and echoes the id', async () => {
    await work('pair');
    const answer = await api.call('POST', INFER, { body: { id: 'mine', ...BODY } });
    expect(answer).toMatchObject({
      status: 200,
      json: {
        id: 'mine',
        model_name: 'pair',
        model_version: '2',
        outputs: [{ name: 'y', datatype: 'FP32', shape: [1, 2], data: [1.5, -2] }],
      },
    });
  });

  test('runs the version in the path and keeps 64-bit integers exact', async () => {
    await work('exact');
    const body =
      '{"inputs":[{"name":"n","shape":[2],"datatype":"INT64","data":[9007199254740993,1]}]}';
    const answer = await api.call('POST', '/v2/models/exact/versions/1/infer', { body });
    expect(answer.status).toBe(200);
    expect(answer.text).toContain('"data":[9007199254740993,1]');
    expect(answer.text).toContain('"data":["ein Wört","ein Wört"]');
  });

  test('gives only the outputs that are asked for', async () => {
    await work('exact');
    const inputs = [{ name: 'n', shape: [1], datatype: 'INT64', data: [1] }];
    const body = { inputs, outputs: [{ name: 'text' }] };
    const { json } = await api.call('POST', '/v2/models/exact/infer', { body });
    expect((json as { outputs: { name: string }[] }).outputs.map(({ name }) => name)).toEqual([
      'text',
    ]);
  });

  test("answers with the prediction's fault and its status", async () => {
    await work('pair', () => {
      throw new QuernError('INFERENCE_FAILED', 'Gather: index 9 is out of bounds');
    });
    const answer = await api.call('POST', INFER, { body: BODY });
    expect(answer).toMatchObject({
      status: 500,
      json: { error: 'INFERENCE_FAILED: Gather: index 9 is out of bounds' },
    });
  });

  test('passes priorities on as classes', async () => {
    const seen: string[] = [];
    await work('pair', (inputs, prediction) => {
      seen.push(prediction.data.priority);
      return echo(inputs, prediction);
    });
    for (const priority of [0, 1, 2, 3, 1000]) {
      await api.call('POST', INFER, { body: { ...BODY, parameters: { priority } } });
    }
    expect(seen).toEqual(['normal', 'high', 'normal', 'low', 'low']);
  });

  test('says where the prediction is when the wait is over; it goes on', async () => {
    const answer = await api.call('POST', INFER, { body: BODY });
    expect(answer.status).toBe(504);
    const { error } = answer.json as { error: string };
    const [, path] = /^WAIT_TIMEOUT: .*GET (\S+)$/.exec(error) ?? [];
    await work('pair');
    const later = await api.call('GET', `${path}?wait=10`);
    expect(later).toMatchObject({ status: 200, json: { status: 'succeeded' } });
  });

  test('ends at its timeout in the queue', async () => {
    const startedAtMs = performance.now();
    const body = { ...BODY, parameters: { timeout: 100_000 } };
    const answer = await api.call('POST', INFER, { body });
    expect(answer).toMatchObject({
      status: 504,
      json: { error: expect.stringContaining('DEADLINE_EXCEEDED') },
    });
    expect(performance.now() - startedAtMs).toBeGreaterThan(95);
  });

  test('waits on beyond the timeout for a prediction that runs by then', async () => {
    await work('pair', async (inputs, prediction) => {
      await eventually(() => Date.now() > (prediction.data.deadlineAtMs ?? Infinity) + 100);
      return echo(inputs, prediction);
    });
    const body = { ...BODY, parameters: { timeout: 1_000_000 } };
    expect(await api.call('POST', INFER, { body })).toMatchObject({ status: 200 });
  });

  test.each([
    ['priority', -1],
    ['priority', 'high'],
    ['timeout', 0.5],
  ])('refuses the parameter %s of %s', async (name, value) => {
    const body = { ...BODY, parameters: { [name]: value } };
    const answer = await api.call('POST', INFER, { body });
    expect(answer).toMatchObject({
      status: 400,
      json: { error: expect.stringContaining(`INVALID_REQUEST: parameters.${name}: got `) },
    });
  });
});

describe('waiting on /v1', () => {
  const CREATE = '/v1/models/pair/predictions';

  test('answers 200 with the output in the form of the input', async () => {
    await work('pair');
    const headers = { prefer: 'wait' };
    const answer = await api.call('POST', CREATE, { body: { input: { x: [[1, 2]] } }, headers });
    expect(answer).toMatchObject({
      status: 200,
      json: {
        status: 'succeeded',
        output: { y: [[1, 2]] },
        metrics: { batch_size: 1, attempts: 1 },
      },
    });
    expect(answer.headers.get('preference-applied')).toBe('wait=60');
  });

  test('answers 200 with a prediction that failed', async () => {
    await work('pair', () => {
      throw new QuernError('INFERENCE_FAILED', 'no');
    });
    const headers = { prefer: 'wait=10' };
    const answer = await api.call('POST', CREATE, { body: { input: { x: [[1, 2]] } }, headers });
    expect(answer).toMatchObject({
      status: 200,
      json: { status: 'failed', output: null, error: { code: 'INFERENCE_FAILED', message: 'no' } },
    });
  });

  test('takes half a megabyte of base64 and gives it back', async () => {
    await work('wide');
    const shape = [2, 65_536];
    const b64 = Buffer.alloc(2 * 65_536 * 4, 'abcd').toString('base64');
    const body = { input: { x: { shape, b64 } } };
    const answer = await api.call('POST', '/v1/models/wide/predictions', {
      body,
      headers: { prefer: 'wait=10' },
    });
    expect(answer).toMatchObject({ status: 200, json: { output: { y: { shape, b64 } } } });
  });

  test('cancels a prediction that runs', async () => {
    let isStarted = false;
    await work('pair', () => {
      isStarted = true;
      return new Promise(() => {});
    });
    const { json } = await api.call('POST', CREATE, { body: { input: { x: [[1, 2]] } } });
    const { id } = json as { id: string };
    await eventually(() => isStarted);
    const running = await api.call('GET', `/v1/predictions/${id}`);
    expect(running.json).toMatchObject({ status: 'processing', started_at: expect.any(String) });
    const canceled = await api.call('POST', `/v1/predictions/${id}/cancel`);
    expect(canceled).toMatchObject({ status: 200, json: { status: 'canceled' } });
  });
});
