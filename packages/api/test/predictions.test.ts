import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PAIR } from './fake-models.ts';
import { RunningApi } from './running-api.ts';

// No worker runs here: what is accepted stays in the queue.
let api: RunningApi;
beforeAll(async () => {
  api = await RunningApi.start({ models: [PAIR, { ...PAIR, name: 'listed' }] });
});
afterAll(() => api.stop());

const INPUT = { input: { x: [[1, 2]] } };
const CREATE = '/v1/models/pair/predictions';

async function createId(): Promise<string> {
  const { json } = await api.call('POST', CREATE, { body: INPUT });
  return (json as { id: string }).id;
}

describe('create', () => {
  test('accepts a prediction and says where it is', async () => {
    const answer = await api.call('POST', CREATE, { body: INPUT });
    expect(answer.status).toBe(202);
    expect(answer.json).toMatchObject({
      model: 'pair',
      version: '2',
      status: 'starting',
      output: null,
      error: null,
      expires_at: null,
    });
    const location = answer.headers.get('location') ?? '';
    expect(location.startsWith(`${api.url}/v1/predictions/pair.`)).toBe(true);
    const read = await fetch(location);
    expect(await read.json()).toEqual(answer.json);
  });

  test('takes the version from the path', async () => {
    const path = '/v1/models/pair/versions/1/predictions';
    const answer = await api.call('POST', path, { body: INPUT });
    expect(answer).toMatchObject({ status: 202, json: { model: 'pair', version: '1' } });
  });

  test.each([
    ['the model', { model: 'pair' }, '2'],
    ['the version', { version: 'pair:1' }, '1'],
  ])('takes %s from the body', async (_, named, version) => {
    const answer = await api.call('POST', '/v1/predictions', { body: { ...INPUT, ...named } });
    expect(answer).toMatchObject({ status: 202, json: { model: 'pair', version } });
  });

  test('keeps metadata and deadline', async () => {
    const metadata = { order: 7, tags: ['a', null], deep: [[{}]] };
    const body = { ...INPUT, metadata, timeout_ms: 60_000, priority: 'high' };
    const { json } = await api.call('POST', CREATE, { body });
    const { created_at, expires_at } = json as { created_at: string; expires_at: string };
    expect(json).toMatchObject({ metadata });
    expect(Date.parse(expires_at) - Date.parse(created_at)).toBe(60_000);
  });

  test('is known by its id: a repetition is the same prediction, another body a conflict', async () => {
    const body = { ...INPUT, id: 'mine-1' };
    const first = await api.call('POST', CREATE, { body });
    const again = await api.call('POST', CREATE, { body });
    const other = await api.call('POST', CREATE, { body: { ...body, input: { x: [[1, 3]] } } });
    expect(first).toMatchObject({ status: 202, json: { id: 'mine-1' } });
    expect(again).toMatchObject({ status: 200, json: first.json });
    expect(other).toMatchObject({ status: 409, json: { error: { code: 'CONFLICT' } } });
  });

  test('is known by its idempotency key', async () => {
    const headers = { 'idempotency-key': 'order 17' };
    const first = await api.call('POST', CREATE, { body: INPUT, headers });
    const again = await api.call('POST', CREATE, { body: INPUT, headers });
    const body = { ...INPUT, priority: 'low' };
    const other = await api.call('POST', CREATE, { body, headers });
    expect(first.status).toBe(202);
    expect(again).toMatchObject({ status: 200, json: first.json });
    expect(other.status).toBe(409);
  });

  test('under a path of its own is idempotent', async () => {
    const body = { ...INPUT, model: 'pair' };
    const first = await api.call('PUT', '/v1/predictions/put~1', { body });
    const again = await api.call('PUT', '/v1/predictions/put~1', { body });
    expect(first).toMatchObject({ status: 202, json: { id: 'put~1' } });
    expect(again).toMatchObject({ status: 200, json: first.json });
  });

  test('answers 202 when the wait is over first, and says what was granted', async () => {
    const headers = { prefer: 'respond-async, wait=1' };
    const answer = await api.call('POST', CREATE, { body: INPUT, headers });
    expect(answer).toMatchObject({ status: 202, json: { status: 'starting' } });
    expect(answer.headers.get('preference-applied')).toBe('wait=1');
  });

  test('expires after the shorter of `Cancel-After` and `timeout_ms`', async () => {
    const limited = async (header: string, timeout_ms?: number) => {
      const body = { ...INPUT, ...(timeout_ms !== undefined && { timeout_ms }) };
      const { json } = await api.call('POST', CREATE, {
        body,
        headers: { 'cancel-after': header },
      });
      const { created_at, expires_at } = json as { created_at: string; expires_at: string };
      return Date.parse(expires_at) - Date.parse(created_at);
    };
    expect(await limited('1m')).toBe(60_000);
    expect(await limited('1m', 30_000)).toBe(30_000);
    expect(await limited('20', 30_000)).toBe(20_000);
    const headers = { 'cancel-after': 'soon' };
    const refused = await api.call('POST', CREATE, { body: INPUT, headers });
    expect(refused).toMatchObject({ status: 400, json: { error: { code: 'INVALID_REQUEST' } } });
  });

  test('passes over a preference that makes no sense', async () => {
    const headers = { prefer: 'wait=soon' };
    const answer = await api.call('POST', CREATE, { body: INPUT, headers });
    expect(answer.status).toBe(202);
    expect(answer.headers.has('preference-applied')).toBe(false);
  });

  test('makes relative links when the Host header makes no sense', async () => {
    const location = await new Promise((resolve, reject) => {
      const headers = { host: 'a b"<c>', 'content-type': 'application/json' };
      const sent = request(`${api.url}${CREATE}`, { method: 'POST', headers }, (response) => {
        response.resume();
        resolve(response.headers.location);
      });
      sent.on('error', reject);
      sent.end(JSON.stringify(INPUT));
    });
    expect(location).toMatch(/^\/v1\/predictions\/pair\.\w{26}$/);
  });
});

describe('cancel', () => {
  test('ends a prediction that waits, and one that has ended stays as it is', async () => {
    const id = await createId();
    const canceled = await api.call('POST', `/v1/predictions/${id}/cancel`);
    expect(canceled).toMatchObject({
      status: 200,
      json: { id, status: 'canceled', error: { code: 'CANCELED' } },
    });
    const again = await api.call('POST', `/v1/predictions/${id}/cancel`);
    expect(again).toMatchObject({ status: 200, json: canceled.json });
  });
});

describe('get', () => {
  test('waits until the time is over and then shows the prediction as it stands', async () => {
    const id = await createId();
    const startedAtMs = performance.now();
    const answer = await api.call('GET', `/v1/predictions/${id}?wait=0.3`);
    expect(answer).toMatchObject({ status: 200, json: { id, status: 'starting' } });
    expect(performance.now() - startedAtMs).toBeGreaterThan(290);
  });

  test('wakes from a long wait when the prediction is canceled', async () => {
    const id = await createId();
    const waiting = api.call('GET', `/v1/predictions/${id}?wait=60`);
    await api.call('POST', `/v1/predictions/${id}/cancel`);
    expect(await waiting).toMatchObject({ status: 200, json: { status: 'canceled' } });
  });

  test.each(['no-such', 'pair.01jd0000000000000000000000', 'nomodel.01jd0000000000000000000000'])(
    'does not find %s and leaves nothing in Redis',
    async (id) => {
      const before = (await api.redis.keys('*')).length;
      for (const [method, path] of [
        ['GET', `/v1/predictions/${id}`],
        ['GET', `/v1/predictions/${id}?wait=5`],
        ['POST', `/v1/predictions/${id}/cancel`],
      ] as const) {
        const answer = await api.call(method, path);
        expect(answer).toMatchObject({
          status: 404,
          json: { error: { code: 'PREDICTION_NOT_FOUND' } },
        });
      }
      expect((await api.redis.keys('*')).length).toBe(before);
    },
  );
});

describe('list', () => {
  test('pages through the predictions of a model, newest first', async () => {
    const ids: string[] = [];
    for (let i = 0; i < 5; i++) {
      const path = `/v1/predictions/listed-${i}`;
      await api.call('PUT', path, { body: { input: { x: [[i, i]] }, version: 'listed:1' } });
      ids.unshift(`listed-${i}`);
    }
    const found: string[] = [];
    let cursor = '';
    do {
      const path = `/v1/predictions?model=listed&limit=2&cursor=${cursor}`;
      const { json } = await api.call('GET', cursor === '' ? path.replace('&cursor=', '') : path);
      const page = json as { results: { id: string }[]; next: string | null };
      found.push(...page.results.map(({ id }) => id));
      cursor = page.next ?? '';
    } while (cursor !== '');
    expect(found).toEqual(ids);
  });

  test('filters by status', async () => {
    const id = await createId();
    await api.call('POST', `/v1/predictions/${id}/cancel`);
    const { json } = await api.call('GET', '/v1/predictions?status=canceled&limit=100');
    const { results } = json as { results: { id: string; status: string }[] };
    expect(results.map((item) => item.id)).toContain(id);
    expect(new Set(results.map((item) => item.status))).toEqual(new Set(['canceled']));
  });
});
