import { afterEach, expect, test } from 'vitest';
import { RunningApi, type RunningApiOptions } from './running-api.ts';

const ADMIN = 'key-of-an-operator';
const CALLER = 'key-of-a-service';
const LOAD = '/v2/repository/models/pair/load';

let api: RunningApi | undefined;
afterEach(() => api?.stop());

/** Its only worker never follows a wish. */
async function start(options: RunningApiOptions = {}): Promise<RunningApi> {
  api = await RunningApi.start({ syncWaitMs: 50, ...options });
  return api;
}

test('the index lists every version of every model, and what keeps one from being ready', async () => {
  const running = await start();
  const { status, json } = await running.call('POST', '/v2/repository/index', { body: {} });
  expect(status).toBe(200);
  expect(json).toEqual(
    expect.arrayContaining([
      { name: 'pair', version: '2', state: 'READY', reason: '' },
      { name: 'pair', version: '1', state: 'READY', reason: '' },
      expect.objectContaining({ name: 'broken', state: 'UNAVAILABLE', reason: expect.any(String) }),
    ]),
  );
  const body = { ready: true };
  const ready = (await running.call('POST', '/v2/repository/index', { body })).json;
  expect((ready as { name: string }[]).map(({ name }) => name)).not.toContain('broken');
  expect(ready).toContainEqual({ name: 'pair', version: '2', state: 'READY', reason: '' });
});

test('the body may be left out', async () => {
  const running = await start();
  expect((await running.call('POST', '/v2/repository/index')).status).toBe(200);
});

test.each(['load', 'unload'])('%s is for administrators', async (action) => {
  const running = await start({ apiKeys: [CALLER], adminKeys: [ADMIN] });
  const path = `/v2/repository/models/pair/${action}`;
  const headers = { authorization: `Bearer ${CALLER}` };
  const { status, json } = await running.call('POST', path, { headers });
  expect([status, json]).toEqual([403, { error: expect.stringMatching(/^FORBIDDEN: /) }]);
});

test.each(['config', 'file:1/model.onnx'])('nobody loads a model with %s', async (name) => {
  const running = await start();
  const answer = await running.call('POST', LOAD, { body: { parameters: { [name]: 'e30=' } } });
  expect(answer.status).toBe(400);
  expect(answer.text).toContain(name);
  expect(answer.text).toContain('is not supported');
});

test('says how many workers have not followed in time, and that the wish stands', async () => {
  const running = await start();
  const answer = await running.call('POST', '/v2/repository/models/pair/unload', {
    body: { parameters: { unload_dependents: false } },
  });
  expect(answer).toMatchObject({
    status: 504,
    json: { error: expect.stringMatching(/^WAIT_TIMEOUT: 1 of 1 workers .*the wish stands/) },
  });
});

test('a name that no model can have is none', async () => {
  const running = await start();
  const answer = await running.call('POST', '/v2/repository/models/..%2Fetc/load');
  expect(answer).toMatchObject({
    status: 404,
    json: { error: expect.stringMatching(/^MODEL_NOT_FOUND: /) },
  });
});
