import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RunningApi } from './running-api.ts';

const KEY = 'a-secret-key';

let api: RunningApi;
beforeAll(async () => {
  api = await RunningApi.start({ apiKeys: ['another-key', KEY] });
});
afterAll(() => api.stop());

const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
const basic = (user: string, key: string) => ({
  authorization: `Basic ${Buffer.from(`${user}:${key}`).toString('base64')}`,
});

describe('with keys', () => {
  test.each([
    '/',
    '/v1/models',
    '/v1/predictions',
    '/v2',
    '/v2/models/pair',
    '/metrics',
    '/nothing',
  ])('asks for one at %s', async (path) => {
    const answer = await api.call('GET', path);
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toBe('Bearer');
    expect(answer.text).toContain('UNAUTHENTICATED');
    expect(answer.text).not.toContain(KEY);
  });

  test.each(['/v2/health/live', '/v2/health/ready'])('asks for none at %s', async (path) => {
    expect((await api.call('GET', path)).status).toBe(200);
  });

  test.each([
    { authorization: 'Bearer wrong' },
    { authorization: `Bearer ${KEY}x` },
    { authorization: KEY },
    { authorization: `Basic ${KEY}` },
    basic('any', KEY),
    { authorization: '' },
  ])('refuses %o', async (headers) => {
    expect((await api.call('GET', '/v1/models', { headers })).status).toBe(401);
  });

  test.each([bearer(KEY), bearer('another-key'), { authorization: `bearer  ${KEY}` }])(
    'takes %o',
    async (headers) => {
      expect((await api.call('GET', '/v1/models', { headers })).status).toBe(200);
    },
  );

  test('reads no body before the key is known', async () => {
    const answer = await api.call('POST', '/v1/models/pair/predictions', { body: '{' });
    expect(answer.status).toBe(401);
  });

  test('lets a browser give the key as a password for the documentation', async () => {
    const asked = await api.call('GET', '/docs');
    expect(asked.status).toBe(401);
    expect(asked.headers.get('www-authenticate')).toBe('Basic realm="Quern"');
    for (const path of ['/docs', '/docs/init.js', '/openapi.json']) {
      expect((await api.call('GET', path, { headers: basic('me', KEY) })).status).toBe(200);
      expect((await api.call('GET', path, { headers: basic('me', 'wrong') })).status).toBe(401);
    }
  });

  test('keeps the idempotency keys of two callers apart', async () => {
    const ids = [];
    for (const key of [KEY, 'another-key']) {
      const headers = { ...bearer(key), 'idempotency-key': 'same' };
      const body = { input: { x: [[1, 2]] } };
      const { status, json } = await api.call('POST', '/v1/models/pair/predictions', {
        body,
        headers,
      });
      expect(status).toBe(202);
      ids.push((json as { id: string }).id);
    }
    expect(new Set(ids).size).toBe(2);
  });
});
