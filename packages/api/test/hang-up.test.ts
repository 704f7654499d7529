import { eventually } from '@quern/testkit';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { RunningApi } from './running-api.ts';

const CREATE = '/v1/models/pair/predictions';
const INFER = '/v2/models/pair/infer';
const INPUT = { input: { x: [[1, 2]] } };
const INFER_BODY = { inputs: [{ name: 'x', shape: [1, 2], datatype: 'FP32', data: [1, 2] }] };
const WAIT = { prefer: 'wait=30' };

let api: RunningApi;
beforeAll(async () => {
  api = await RunningApi.start();
});
afterEach(() => api.redis.flushall());
afterAll(() => api.stop());

/** Sends a request that no worker answers, and hangs up once its prediction waits. */
async function hangUp(server: RunningApi, path: string, call: Parameters<RunningApi['call']>[2]) {
  const abort = new AbortController();
  const answer = server.call('POST', path, { ...call, signal: abort.signal });
  const hungUp = expect(answer).rejects.toThrow();
  await eventually(async () => (await server.countWaiting()) === 1);
  abort.abort();
  await hungUp;
}

test.each([
  ['infer', INFER, { body: INFER_BODY }],
  ['create with a wait', CREATE, { body: INPUT, headers: WAIT }],
])('%s is taken back when its caller hangs up', async (_title, path, call) => {
  await hangUp(api, path, call);
  await eventually(async () => (await api.countWaiting()) === 0);
  const { json } = await api.call('GET', '/v1/predictions?model=pair');
  expect(json).toMatchObject({ results: [{ status: 'canceled' }] });
});

test.each([
  ['under an id of the caller', {}, CREATE, { body: { ...INPUT, id: 'kept' }, headers: WAIT }],
  ['where that is switched off', { cancelOnHangUp: false }, INFER, { body: INFER_BODY }],
])('it goes on %s', async (_title, options, path, call) => {
  const server = await RunningApi.start(options);
  await hangUp(server, path, call);
  // When the server has closed, it has done what it would do.
  await server.server.close();
  expect(await server.countWaiting()).toBe(1);
  await server.stop();
});
