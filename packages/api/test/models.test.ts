import { eventually } from '@quern/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RunningApi } from './running-api.ts';

let api: RunningApi;
beforeAll(async () => {
  api = await RunningApi.start();
});
afterAll(() => api.stop());

describe('/v1/models', () => {
  test('lists what is known', async () => {
    const { json } = await api.call('GET', '/v1/models');
    const { results } = json as { results: { name: string; state: string }[] };
    expect(results.map(({ name, state }) => [name, state])).toEqual([
      ['broken', 'unhealthy'],
      ['exact', 'ready'],
      ['pair', 'ready'],
      ['wide', 'ready'],
    ]);
  });

  test('tells what a model takes and gives, and how it does', async () => {
    const { json } = await api.call('GET', '/v1/models/pair');
    expect(json).toMatchObject({
      name: 'pair',
      description: 'Gives back what it takes',
      license: 'CC0-1.0',
      live_workers: 1,
      batching: { mode: 'auto', max_batch_size: 16, max_queue_delay_ms: 2 },
      queue: { waiting: 0, active: 0, oldest_waiting_ms: null, max_size: 10_000, timeout_ms: null },
      stats: { predictions_per_second: 60, mean_batch_rows: 4, failed: 1 },
    });
    expect((json as { versions: unknown[] }).versions[0]).toEqual({
      version: '2',
      state: 'ready',
      inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 2] }],
      outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 2] }],
      max_rows: 8,
      labels: ['left', 'right'],
      execution_providers: ['cpu'],
      instances: 1,
      stats: {
        batches: 10,
        rows: 40,
        succeeded: 38,
        failed: 1,
        expired: 2,
        reruns: 3,
        quarantined: 0,
        recycled: 1,
        batch_rows: [
          { up_to: 1, batches: 2 },
          { up_to: 4, batches: 8 },
        ],
        fill_ratio: 0.25,
        padding_ratio: 0,
        mean_ms: { queue: 1.5, collate: 0.1, inference: 2.5, split: 0.1, store: 0 },
        reasons: { idle: 2, full: 8 },
      },
      profile_sources: [{ source: 'stored', device: 'test-cpu.1t' }],
    });
  });

  test('says why a model cannot be used', async () => {
    const { status, json } = await api.call('GET', '/v1/models/broken');
    expect(status).toBe(200);
    expect((json as { versions: unknown[] }).versions[0]).toMatchObject({
      state: 'unhealthy',
      reason: 'the file is cut off',
      inputs: null,
    });
  });

  test('counts what waits, and for how long', async () => {
    const path = '/v1/models/wide/predictions';
    const body = {
      input: { x: { shape: [1, 65_536], b64: Buffer.alloc(262_144).toString('base64') } },
    };
    await api.call('POST', path, { body });
    await eventually(async () => {
      const { json } = await api.call('GET', '/v1/models/wide');
      const { queue } = json as { queue: { waiting: number; oldest_waiting_ms: number } };
      expect(queue.waiting).toBe(1);
      expect(queue.oldest_waiting_ms).toBeGreaterThan(0);
    });
  });

  test('refuses predictions when the queue is full, and says when to come again', async () => {
    const body = { input: { n: [1] } };
    const path = '/v1/models/exact/predictions';
    const statuses = [];
    for (let i = 0; i < 3; i++) {
      const answer = await api.call('POST', path, { body });
      statuses.push(answer.status);
      if (i < 2) continue;
      expect(answer.json).toMatchObject({
        error: { code: 'QUEUE_FULL', details: { retry_after_seconds: expect.any(Number) } },
      });
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    }
    expect(statuses).toEqual([202, 202, 429]);
  });

  test('does not know others', async () => {
    const answer = await api.call('GET', '/v1/models/nope');
    expect(answer).toMatchObject({
      status: 404,
      json: { error: { code: 'MODEL_NOT_FOUND', message: expect.stringContaining('pair') } },
    });
  });
});

describe('/v2', () => {
  test('tells name, version and extensions', async () => {
    expect((await api.call('GET', '/v2')).json).toEqual({
      name: 'quern',
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      extensions: expect.arrayContaining(['schedule_policy']),
    });
  });

  test('is live and ready', async () => {
    expect(await api.call('GET', '/v2/health/live')).toMatchObject({
      status: 200,
      json: { live: true },
    });
    expect(await api.call('GET', '/v2/health/ready')).toMatchObject({
      status: 200,
      json: { live: true, ready: true },
    });
  });

  test.each(['/v2/models/pair', '/v2/models/pair/versions/1'])('describes %s', async (path) => {
    expect(await api.call('GET', path)).toMatchObject({
      status: 200,
      json: {
        name: 'pair',
        versions: ['2', '1'],
        platform: 'onnx_onnxv1',
        inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 2] }],
        outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 2] }],
      },
    });
  });

  test.each([
    ['/v2/models/pair/ready', 200, { name: 'pair', ready: true }],
    ['/v2/models/pair/versions/1/ready', 200, { name: 'pair', ready: true }],
    ['/v2/models/broken/ready', 503, { name: 'broken', ready: false }],
    [
      '/v2/models/pair/versions/9/ready',
      404,
      { error: expect.stringMatching(/^VERSION_NOT_FOUND/) },
    ],
    ['/v2/models/nope/ready', 404, { error: expect.stringMatching(/^MODEL_NOT_FOUND/) }],
    ['/v2/models/broken', 503, { error: expect.stringMatching(/^MODEL_UNAVAILABLE/) }],
  ])('answers %s with %i', async (path, status, json) => {
    expect(await api.call('GET', path)).toMatchObject({ status, json });
  });
});
