import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, RunningApi } from './running-api.ts';

const OURS = 'https://app.example.com';
const THEIRS = 'https://evil.example.com';
const KEY = 'a-key';
const CREATE = '/v1/models/pair/predictions';

const allowedOrigin = ({ headers }: Answer) => headers.get('access-control-allow-origin');

/** What a browser asks before a page may post JSON with a key. */
function preflight(api: RunningApi, origin: string): Promise<Answer> {
  const headers = {
    origin,
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'authorization,content-type,idempotency-key,prefer',
  };
  return api.call('OPTIONS', CREATE, { headers });
}

describe('with an origin let in', () => {
  let api: RunningApi;
  beforeAll(async () => {
    api = await RunningApi.start({ corsOrigins: [OURS], apiKeys: [KEY] });
  });
  afterAll(() => api.stop());

  test('says without a key that its pages may send one', async () => {
    const answer = await preflight(api, OURS);
    expect(answer.status).toBe(204);
    expect(allowedOrigin(answer)).toBe(OURS);
    expect(answer.headers.get('access-control-allow-headers')).toContain('authorization');
    expect(answer.headers.get('access-control-allow-methods')).toContain('POST');
  });

  test('lets its pages read answers, and refusals with the time to come back', async () => {
    const headers = { origin: OURS, authorization: `Bearer ${KEY}` };
    const answer = await api.call('GET', '/v1/models', { headers });
    expect(answer.status).toBe(200);
    expect(allowedOrigin(answer)).toBe(OURS);
    expect(answer.headers.get('access-control-expose-headers')).toContain('Retry-After');
    const refused = await api.call('GET', '/v1/models', { headers: { origin: OURS } });
    expect(refused.status).toBe(401);
    expect(allowedOrigin(refused)).toBe(OURS);
  });

  test('lets no other page in', async () => {
    expect(allowedOrigin(await preflight(api, THEIRS))).toBeNull();
    const headers = { origin: THEIRS, authorization: `Bearer ${KEY}` };
    expect(allowedOrigin(await api.call('GET', '/v1/models', { headers }))).toBeNull();
  });
});

test('with * lets every page in', async () => {
  const api = await RunningApi.start({ corsOrigins: ['*'] });
  try {
    expect(allowedOrigin(await preflight(api, THEIRS))).toBe('*');
  } finally {
    await api.stop();
  }
});

test('without a setting lets no page in', async () => {
  const api = await RunningApi.start();
  try {
    expect(allowedOrigin(await preflight(api, OURS))).toBeNull();
    const answer = await api.call('GET', '/v1/models', { headers: { origin: OURS } });
    expect(allowedOrigin(answer)).toBeNull();
  } finally {
    await api.stop();
  }
});
