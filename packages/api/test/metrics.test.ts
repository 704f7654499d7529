import { eventually } from '@quern/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { RunningApi } from './running-api.ts';

let api: RunningApi;
beforeAll(async () => {
  api = await RunningApi.start();
});
afterAll(() => api.stop());

const CREATE = '/v1/models/pair/predictions';

test('counts requests by route, not by path', async () => {
  for (const id of ['a', 'b', 'c']) await api.call('GET', `/v1/predictions/${id}`);
  const labels = { method: 'GET', route: '/v1/predictions/{id}', status: '404' };
  // Counted when the answer's connection is done, a moment after the client has it.
  await eventually(async () => {
    expect(await api.metric('quern_http_requests_total', labels)).toBe(3);
  });
  const { text } = await api.call('GET', '/metrics');
  expect(text).toContain('quern_http_request_duration_seconds_bucket');
});

test('counts accepted and refused predictions by known models', async () => {
  await api.call('POST', CREATE, { body: { input: { x: [[1, 2]] } } });
  await api.call('POST', CREATE, { body: { input: { x: [[1]] } } });
  await api.call('POST', CREATE, { body: '{' });
  await api.call('POST', '/v1/models/made-up/predictions', { body: { input: {} } });
  const infer = { inputs: [{ name: 'x', shape: [1], datatype: 'FP32', data: [1] }] };
  await api.call('POST', '/v2/models/pair/infer', { body: infer });
  expect(await api.metric('quern_predictions_accepted_total', { model: 'pair' })).toBe(1);
  const rejected = (model: string, code: string) =>
    api.metric('quern_predictions_rejected_total', { model, code });
  expect(await rejected('pair', 'INVALID_INPUT')).toBe(2);
  expect(await rejected('pair', 'INVALID_JSON')).toBe(1);
  expect(await rejected('', 'MODEL_NOT_FOUND')).toBe(1);
});

test('counts what expired while it waited', async () => {
  const body = { input: { n: [1] }, timeout_ms: 1 };
  await api.call('POST', '/v1/models/exact/predictions', { body });
  await eventually(async () => {
    expect(await api.metric('quern_predictions_expired_total', { model: 'exact' })).toBe(1);
  });
});

test('shows the queues as they are at the scrape', async () => {
  const before = await api.metric('quern_queue_waiting', { model: 'pair' });
  const id = 'to-cancel';
  await api.call('PUT', `/v1/predictions/${id}`, {
    body: { model: 'pair', input: { x: [[1, 2]] } },
  });
  expect(await api.metric('quern_queue_waiting', { model: 'pair' })).toBe(before + 1);
  expect(await api.metric('quern_queue_oldest_seconds', { model: 'pair' })).toBeGreaterThan(0);
  await api.call('POST', `/v1/predictions/${id}/cancel`);
  expect(await api.metric('quern_queue_waiting', { model: 'pair' })).toBe(before);
  expect(await api.metric('quern_queue_active', { model: 'pair' })).toBe(0);
  expect(await api.metric('quern_workers')).toBe(1);
});

test('answers and log carry a request id', async () => {
  const given = await api.call('GET', '/v2', { headers: { 'x-request-id': 'order-17:a' } });
  expect(given.headers.get('x-request-id')).toBe('order-17:a');
  const hostile = await api.call('GET', '/v2', { headers: { 'x-request-id': 'a b"{}' } });
  expect(hostile.headers.get('x-request-id')).toMatch(/^[\da-f-]{36}$/);
});

test('answers carry headers that keep browsers from guessing', async () => {
  const { headers } = await api.call('GET', '/v1/models');
  expect(headers.get('content-security-policy')).toBe("default-src 'none';frame-ancestors 'none'");
  expect(headers.get('x-content-type-options')).toBe('nosniff');
  expect(headers.has('x-powered-by')).toBe(false);
  expect(headers.has('strict-transport-security')).toBe(false);
});
