import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { RunningApi } from './running-api.ts';

const ADMIN = 'key-of-an-operator';
const CALLER = 'key-of-a-service';
const SECRET = '/v1/webhooks/default/secret';
const PAIR = '/v1/models/pair/predictions';
const HOOK = 'https://hooks.example.com/quern?token=secret';
const bearer = (key: string) => ({ authorization: `Bearer ${key}` });

let api: RunningApi;
afterEach(() => api.stop());

describe('a create body', () => {
  beforeEach(async () => {
    api = await RunningApi.start();
  });

  test.each([
    ['not a url', 'INVALID_REQUEST'],
    ['ftp://example.com/', 'INVALID_REQUEST'],
    ['https://user:password@example.com/', 'INVALID_REQUEST'],
    [`https://example.com/${'x'.repeat(2048)}`, 'INVALID_REQUEST'],
    ['http://127.0.0.1/', 'ADDRESS_REFUSED'],
    ['http://localhost:8080/', 'ADDRESS_REFUSED'],
    ['http://0x7f.1/', 'ADDRESS_REFUSED'],
    ['http://[::ffff:10.0.0.1]/', 'ADDRESS_REFUSED'],
    ['http://169.254.169.254/latest/meta-data', 'ADDRESS_REFUSED'],
  ])('with the webhook %s is refused, and names the field', async (webhook, code) => {
    const { status, json } = await api.call('POST', PAIR, {
      body: { input: { x: [[1, 2]] }, webhook },
    });
    expect({ status, json }).toMatchObject({
      status: 400,
      json: { error: { code, details: { path: 'webhook' } } },
    });
    expect(await api.countWaiting()).toBe(0);
  });

  test('with an event that there is not is refused', async () => {
    const { status, json } = await api.call('POST', PAIR, {
      body: { input: { x: [[1, 2]] }, webhook: HOOK, webhook_events_filter: ['end'] },
    });
    expect(status).toBe(400);
    expect(json).toMatchObject({ error: { details: { path: 'webhook_events_filter[0]' } } });
  });

  test('keeps its webhook to itself: no answer tells it', async () => {
    const body = { input: { x: [[1, 2]] }, webhook: HOOK, webhook_events_filter: ['completed'] };
    const created = await api.call('POST', PAIR, { body });
    expect(created.status).toBe(202);
    const { id } = created.json as { id: string };
    const read = await api.call('GET', `/v1/predictions/${id}`);
    const listed = await api.call('GET', '/v1/predictions');
    for (const { text } of [created, read, listed]) expect(text).not.toContain('hooks.example');
  });

  test('with the same key and another webhook is another request', async () => {
    const ask = (webhook: string) =>
      api.call('POST', PAIR, {
        body: { input: { x: [[1, 2]] }, webhook },
        headers: { 'idempotency-key': 'one' },
      });
    expect((await ask(HOOK)).status).toBe(202);
    expect((await ask(HOOK)).status).toBe(200);
    expect((await ask('https://elsewhere.example.com/')).status).toBe(409);
  });
});

describe('the secret', () => {
  test('is for who has a key', async () => {
    api = await RunningApi.start({ apiKeys: [CALLER] });
    expect((await api.call('GET', SECRET)).status).toBe(401);
    const { status, headers, json } = await api.call('GET', SECRET, { headers: bearer(CALLER) });
    expect(status).toBe(200);
    expect(headers.get('cache-control')).toBe('no-store');
    expect(json).toEqual({ key: expect.stringMatching(/^whsec_[\w+/]{43}=$/) });
    expect(await api.queue.webhooks.secret()).toBe((json as { key: string }).key);
  });

  test('is for administrators where only they have keys, and for no page of another origin', async () => {
    api = await RunningApi.start({ adminKeys: [ADMIN] });
    expect((await api.call('GET', SECRET)).status).toBe(401);
    expect((await api.call('GET', SECRET, { headers: bearer(ADMIN) })).status).toBe(200);
    await api.stop();
    api = await RunningApi.start();
    const headers = { origin: 'https://evil.example' };
    expect((await api.call('GET', SECRET, { headers })).status).toBe(403);
    expect((await api.call('GET', SECRET)).status).toBe(200);
  });

  test('is the newest one that is configured', async () => {
    const webhookSecrets = ['whsec_new', 'whsec_old'];
    api = await RunningApi.start({ webhookSecrets });
    expect((await api.call('GET', SECRET)).json).toEqual({ key: 'whsec_new' });
  });
});

describe('deliveries', () => {
  beforeEach(async () => {
    api = await RunningApi.start({ apiKeys: [CALLER], adminKeys: [ADMIN] });
  });

  /** A delivery that waits, since nobody delivers here. */
  async function waiting(): Promise<{ id: string; prediction: string }> {
    const headers = bearer(CALLER);
    const body = { input: { x: [[1, 2]] }, webhook: HOOK };
    const created = await api.call('POST', PAIR, { body, headers });
    const prediction = (created.json as { id: string }).id;
    await api.call('POST', `/v1/predictions/${prediction}/cancel`, { headers });
    const [delivery] = await api.queue.webhooks.list({ state: 'waiting', limit: 10 });
    return { id: delivery?.id ?? '', prediction };
  }

  test('are for administrators', async () => {
    const { id } = await waiting();
    const calls = [
      ['GET', '/v1/webhooks/deliveries'],
      ['GET', `/v1/webhooks/deliveries/${id}`],
      ['POST', `/v1/webhooks/deliveries/${id}/replay`],
      ['POST', '/v1/webhooks/replay'],
    ] as const;
    for (const [method, path] of calls) {
      const call = { headers: bearer(CALLER), ...(method === 'POST' && { body: {} }) };
      expect((await api.call(method, path, call)).status, path).toBe(403);
    }
  });

  test('tell whom they tell of what, without what may be secret', async () => {
    const { id, prediction } = await waiting();
    const headers = bearer(ADMIN);
    const listed = await api.call('GET', '/v1/webhooks/deliveries?state=waiting', { headers });
    const expected = {
      id,
      event: 'completed',
      state: 'waiting',
      url: 'https://hooks.example.com/quern',
      prediction: { id: prediction, model: 'pair', status: 'canceled' },
      failed_attempts: 0,
    };
    expect(listed.json).toMatchObject({ results: [expected] });
    const elsewhere = '/v1/webhooks/deliveries?state=waiting&host=example.com';
    expect((await api.call('GET', elsewhere, { headers })).json).toEqual({ results: [] });
    expect((await api.call('GET', '/v1/webhooks/deliveries', { headers })).json).toEqual({
      results: [],
    });
    const one = await api.call('GET', `/v1/webhooks/deliveries/${id}`, { headers });
    expect(one.json).toMatchObject({ ...expected, log: [] });
    expect(one.text).not.toContain('token');
  });

  test('that there are not are 404', async () => {
    const headers = bearer(ADMIN);
    for (const id of ['1', 'msg_aaaaaaaaaaaaaaaaaaaaaaaaaaa']) {
      const { json } = await api.call('GET', `/v1/webhooks/deliveries/${id}`, { headers });
      expect(json).toMatchObject({ error: { code: 'DELIVERY_NOT_FOUND' } });
    }
    const call = { headers, body: {} };
    expect((await api.call('POST', '/v1/webhooks/replay', call)).json).toEqual({ replayed: 0 });
  });
});
