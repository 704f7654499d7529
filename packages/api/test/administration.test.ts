import { afterEach, expect, test } from 'vitest';
import { RunningApi, type RunningApiOptions } from './running-api.ts';

const ADMIN = 'key-of-an-operator';
const CALLER = 'key-of-a-service';
const PATH = '/v1/models/pair/quarantine/lift';

let api: RunningApi | undefined;
afterEach(() => api?.stop());

/** The status and code of an administrator's request to an API with these keys. */
async function ask(keys: RunningApiOptions, headers: Record<string, string>) {
  api = await RunningApi.start(keys);
  const answer = await api.call('POST', PATH, { body: {}, headers });
  const { error } = answer.json as { error?: { code: string; message: string } };
  return { ...answer, code: error?.code, message: error?.message };
}

const bearer = (key: string) => ({ authorization: `Bearer ${key}` });

test('where no keys are set, everybody on this machine may', async () => {
  expect(await ask({}, {})).toMatchObject({ status: 200 });
});

test('but no page of another origin', async () => {
  const { status, code } = await ask({}, { origin: 'http://evil.example' });
  expect([status, code]).toEqual([403, 'FORBIDDEN']);
});

test('with an administrator’s key, also from a page', async () => {
  const headers = { ...bearer(ADMIN), origin: 'https://console.example' };
  expect(await ask({ apiKeys: [CALLER], adminKeys: [ADMIN] }, headers)).toMatchObject({
    status: 200,
  });
});

test('not with an ordinary one', async () => {
  const answer = await ask({ apiKeys: [CALLER], adminKeys: [ADMIN] }, bearer(CALLER));
  expect([answer.status, answer.code]).toEqual([403, 'FORBIDDEN']);
  expect(answer.text).not.toContain(ADMIN);
});

test('where only ordinary keys are set, nobody, and the answer says what to do', async () => {
  const answer = await ask({ apiKeys: [CALLER] }, bearer(CALLER));
  expect([answer.status, answer.code]).toEqual([403, 'FORBIDDEN']);
  expect(answer.message).toContain('set QUERN_ADMIN_KEYS');
});

test('where only administrators have keys, predictions need none', async () => {
  const keys = { adminKeys: [ADMIN] };
  const answer = await ask(keys, {});
  expect([answer.status, answer.code]).toEqual([401, 'UNAUTHENTICATED']);
  expect(answer.headers.get('www-authenticate')).toBe('Bearer');
  expect((await api?.call('GET', '/v1/models'))?.status).toBe(200);
  const wrong = await api?.call('POST', PATH, { body: {}, headers: bearer('wrong') });
  expect(wrong?.status).toBe(403);
  const right = await api?.call('POST', PATH, { body: {}, headers: bearer(ADMIN) });
  expect(right?.status).toBe(200);
});

test('an administrator’s key opens everything else, too', async () => {
  await ask({ apiKeys: [CALLER], adminKeys: [ADMIN] }, bearer(ADMIN));
  expect((await api?.call('GET', '/v1/models', { headers: bearer(ADMIN) }))?.status).toBe(200);
});

test.each([
  ['DELETE', '/v1/models/pair/profile'],
  ['DELETE', '/v1/models/pair/versions/1/profile'],
])('%s %s is for administrators', async (method, path) => {
  api = await RunningApi.start({ apiKeys: [CALLER], adminKeys: [ADMIN] });
  expect((await api.call(method, path, { headers: bearer(CALLER) })).status).toBe(403);
  expect((await api.call(method, path, { headers: bearer(ADMIN) })).status).toBe(200);
});
