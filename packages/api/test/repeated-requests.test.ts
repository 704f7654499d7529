import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { echo, startEchoWorker } from './echo-worker.ts';
import { PAIR } from './fake-models.ts';
import { type Answer, RunningApi } from './running-api.ts';

// The same request again and again, at the same time, to two servers over one Redis.
const REQUESTS = 50;
const MODELS = ['put', 'key', 'answered', 'contested'] as const;

let api: RunningApi;
let bases: readonly string[];
beforeAll(async () => {
  api = await RunningApi.start({ models: MODELS.map((name) => ({ ...PAIR, name })) });
  bases = [api.url, await api.addServer()];
});
afterAll(() => api.stop());

function race(send: (base: string, index: number) => Promise<Answer>): Promise<Answer[]> {
  return Promise.all(
    Array.from({ length: REQUESTS }, (_, i) => send(bases[i % bases.length] ?? api.url, i)),
  );
}

function statusCounts(answers: readonly Answer[]): Record<number, number> {
  const counts: Record<number, number> = {};
  for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

/** What all the answers say alike; addresses differ by the server that was asked. */
function saidByAll(answers: readonly Answer[]): Record<string, unknown> {
  const texts = answers.map(({ json }) => {
    const { urls, ...said } = json as Record<string, unknown>;
    return JSON.stringify(said);
  });
  expect(new Set(texts)).toHaveLength(1);
  return JSON.parse(texts[0] ?? '{}') as Record<string, unknown>;
}

const input = { x: [[1, 2]] };

describe('50 identical requests to two servers', () => {
  test('PUT makes one prediction, and all answers name it', async () => {
    const body = { input, model: 'put', timeout_ms: 60_000 };
    const answers = await race((base) =>
      api.call('PUT', '/v1/predictions/put-race', { body, base }),
    );
    expect(statusCounts(answers)).toEqual({ 202: 1, 200: REQUESTS - 1 });
    const said = saidByAll(answers);
    expect(said).toMatchObject({ id: 'put-race', status: 'starting' });
    expect((await api.queue.depth('put')).waiting).toBe(1);
    // What is read later is what was answered, to the millisecond.
    const read = await api.call('GET', '/v1/predictions/put-race');
    expect(saidByAll([read])).toEqual(said);
  });

  test("with an Idempotency-Key make one prediction, under an id of the server's", async () => {
    const headers = { 'idempotency-key': 'order 17' };
    const answers = await race((base) =>
      api.call('POST', '/v1/models/key/predictions', { body: { input }, headers, base }),
    );
    expect(statusCounts(answers)).toEqual({ 202: 1, 200: REQUESTS - 1 });
    saidByAll(answers);
    expect((await api.queue.depth('key')).waiting).toBe(1);
  });

  test('that wait are all answered with the one result', async () => {
    let runs = 0;
    const worker = await startEchoWorker(api.redisServer.url, 'answered', (inputs, prediction) => {
      runs += 1;
      return echo(inputs, prediction);
    });
    const body = { input, model: 'answered' };
    const headers = { prefer: 'wait=60' };
    const answers = await race((base) =>
      api.call('PUT', '/v1/predictions/answered-race', { body, headers, base }),
    );
    await worker.close();
    expect(statusCounts(answers)).toEqual({ 200: REQUESTS });
    for (const { json } of answers) {
      expect(json).toMatchObject({
        id: 'answered-race',
        status: 'succeeded',
        output: { y: [[1, 2]] },
      });
    }
    expect(runs).toBe(1);
  });
});

test('of two bodies that race for an id one wins, and every other one is told of the conflict', async () => {
  const answers = await race((base, i) => {
    // Each body goes to both servers.
    const body = { input: { x: [[1, Math.floor(i / 2) % 2]] }, model: 'contested' };
    return api.call('PUT', '/v1/predictions/contested-race', { body, base });
  });
  const counts = statusCounts(answers);
  expect(counts[202]).toBe(1);
  expect((counts[200] ?? 0) + (counts[409] ?? 0)).toBe(REQUESTS - 1);
  // Half of them, within one: 50 is not divisible by 4.
  expect([24, 26]).toContain(counts[409]);
  saidByAll(answers.filter(({ status }) => status !== 409));
  for (const { status, json } of answers) {
    if (status === 409) expect(json).toMatchObject({ error: { code: 'CONFLICT' } });
  }
  expect((await api.queue.depth('contested')).waiting).toBe(1);
});
