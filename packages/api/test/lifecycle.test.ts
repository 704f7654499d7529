import { once } from 'node:events';
import { request } from 'node:http';
import { eventually } from '@quern/testkit';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startEchoWorker } from './echo-worker.ts';
import { RunningApi } from './running-api.ts';

let api: RunningApi;
beforeEach(async () => {
  api = await RunningApi.start({ syncWaitMs: 60_000 });
});
afterEach(() => api.stop());

const CREATE = '/v1/models/pair/predictions';
const INPUT = { input: { x: [[1, 2]] } };
const INFER_BODY = { inputs: [{ name: 'x', shape: [1, 2], datatype: 'FP32', data: [1, 2] }] };

describe('stopping', () => {
  test('ends waits with the prediction as it stands', async () => {
    const headers = { prefer: 'wait=60' };
    const creating = api.call('POST', CREATE, { body: INPUT, headers });
    const inferring = api.call('POST', '/v2/models/pair/infer', { body: INFER_BODY });
    await eventually(async () => (await api.countWaiting()) === 2);
    const closing = api.server.close();
    expect(await creating).toMatchObject({ status: 202, json: { status: 'starting' } });
    const inferred = await inferring;
    expect(inferred).toMatchObject({
      status: 503,
      json: { error: expect.stringMatching(/^SHUTTING_DOWN: /) },
    });
    expect(inferred.headers.get('retry-after')).toBe('1');
    await closing;
    await expect(fetch(api.url)).rejects.toThrow();
  });

  test('does not wait for a body that never ends', async () => {
    const headers = {
      'content-type': 'application/json',
      'content-length': 1000,
      expect: '100-continue',
    };
    const sent = request(`${api.url}${CREATE}`, { method: 'POST', headers });
    const failed = new Promise((resolve) => sent.on('error', resolve));
    sent.flushHeaders();
    await once(sent, 'continue');
    sent.write('{');
    await api.server.close();
    expect(await failed).toMatchObject({ code: 'ECONNRESET' });
  });

  test('twice is stopping once', async () => {
    await Promise.all([api.server.close(), api.server.close()]);
  });
});

test('a caller that hangs up ends its wait, and is counted as gone', async () => {
  const controller = new AbortController();
  const headers = { prefer: 'wait=60' };
  const body = { ...INPUT, id: 'asked-for-later' };
  const call = api.call('POST', CREATE, { body, headers, signal: controller.signal });
  await eventually(async () => (await api.countWaiting()) === 1);
  controller.abort();
  await expect(call).rejects.toThrow();
  const labels = { method: 'POST', route: '/v1/models/{model}/predictions', status: '499' };
  await eventually(async () => (await api.metric('quern_http_requests_total', labels)) === 1);
  // What was accepted under an id of the caller's goes on without it.
  const worker = await startEchoWorker(api.redisServer.url, 'pair');
  const { json } = await api.call('GET', '/v1/predictions');
  const [prediction] = (json as { results: { id: string }[] }).results;
  const ended = await api.call('GET', `/v1/predictions/${prediction?.id}?wait=10`);
  expect(ended).toMatchObject({ json: { status: 'succeeded' } });
  await worker.close();
});

describe('without Redis', () => {
  test('answers 503 with Retry-After, lives, and recovers by itself', async () => {
    await api.redisServer.kill();
    await eventually(async () => (await api.call('GET', '/v2/health/ready')).status === 503);
    const refused = await api.call('POST', CREATE, { body: INPUT });
    expect(refused).toMatchObject({ status: 503, json: { error: { code: 'REDIS_UNAVAILABLE' } } });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await api.call('GET', '/v1/predictions/some-id')).toMatchObject({ status: 503 });
    expect(await api.call('GET', '/v1/predictions')).toMatchObject({ status: 503 });
    expect(await api.call('GET', '/v1/models')).toMatchObject({ status: 503 });
    expect(await api.call('POST', '/v2/models/pair/infer', { body: INFER_BODY })).toMatchObject({
      status: 503,
      json: { error: expect.stringMatching(/^REDIS_UNAVAILABLE: /) },
    });
    expect(await api.call('GET', '/v2/health/live')).toMatchObject({ status: 200 });
    expect((await api.call('GET', '/metrics')).text).not.toContain('quern_queue_waiting{');
    await api.redisServer.start();
    await eventually(async () => (await api.call('GET', '/v2/health/ready')).status === 200);
    await eventually(async () => (await api.call('POST', CREATE, { body: INPUT })).status === 202);
  });
});

test('a fault of ours tells outside only where to look', async () => {
  const secret = 'a secret of the inside';
  // A registry that breaks stands for any programming error.
  const { registry } = api.queue;
  const resolve = registry.resolve.bind(registry);
  registry.resolve = () => Promise.reject(new TypeError(secret));
  const answer = await api.call('POST', CREATE, { body: INPUT });
  registry.resolve = resolve;
  expect(answer.status).toBe(500);
  expect(answer.text).not.toContain(secret);
  expect(answer.text).toContain(answer.headers.get('x-request-id'));
});
