import { request } from 'node:http';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { rawRequest, rawText } from './raw-http.ts';
import { type Answer, RunningApi } from './running-api.ts';

let api: RunningApi;
beforeAll(async () => {
  api = await RunningApi.start({ bodyLimitBytes: 200_000 });
});
afterAll(() => api.stop());

// Whatever is refused leaves nothing in the queues.
let waitingBefore = 0;
beforeEach(async () => {
  waitingBefore = await api.countWaiting();
});
afterEach(async () => {
  expect(await api.countWaiting()).toBe(waitingBefore);
});

const CREATE = '/v1/models/pair/predictions';
const INPUT = { input: { x: [[1, 2]] } };

function errorOf(answer: Answer): { code: string; message: string; details?: { path?: string } } {
  return (answer.json as { error: ReturnType<typeof errorOf> }).error;
}

describe('a body that is refused', () => {
  const deep = '['.repeat(50_000);
  test.each([
    ['not JSON', '{"input"', 'INVALID_JSON', undefined],
    [
      'JSON with a large integer, cut off',
      '{"input":12345678901234567890',
      'INVALID_JSON',
      undefined,
    ],
    ['bytes that are not UTF-8', Uint8Array.of(0x22, 0xff, 0x22), 'INVALID_JSON', undefined],
    ['a flood of brackets', deep, 'INVALID_JSON', undefined],
    [
      'a flood of braces around a large integer',
      `${'{"a":'.repeat(20_000)}12345678901234567890`,
      'INVALID_JSON',
      undefined,
    ],
    ['null', 'null', 'INVALID_REQUEST', 'body'],
    ['an array', '[]', 'INVALID_REQUEST', 'body'],
    ['no input', '{}', 'INVALID_REQUEST', 'input'],
    ['an input of the wrong type', '{"input":[1]}', 'INVALID_REQUEST', 'input'],
    ['an unknown field', '{"input":{},"inputs":{}}', 'INVALID_REQUEST', 'inputs'],
    ['an unknown priority', '{"input":{},"priority":"urgent"}', 'INVALID_REQUEST', 'priority'],
    ['a fraction of a timeout', '{"input":{},"timeout_ms":1.5}', 'INVALID_REQUEST', 'timeout_ms'],
    [
      'a timeout of a year',
      '{"input":{},"timeout_ms":31536000000}',
      'INVALID_REQUEST',
      'timeout_ms',
    ],
    ['an id that is an integer', '{"input":{"x":[[1,2]]},"id":"17"}', 'INVALID_REQUEST', 'id'],
    [
      'an id like a generated one',
      '{"input":{"x":[[1,2]]},"id":"pair.01jd0000000000000000000000"}',
      'INVALID_REQUEST',
      'id',
    ],
    [
      'too much metadata',
      JSON.stringify({ ...INPUT, metadata: { a: 'x'.repeat(5000) } }),
      'INVALID_REQUEST',
      'metadata',
    ],
    [
      'metadata without end',
      `{"input":{"x":[[1,2]]},"metadata":{"a":${'['.repeat(20_000)}${']'.repeat(20_000)}}}`,
      'INVALID_REQUEST',
      'metadata',
    ],
    [
      'an output that the model does not have',
      '{"input":{"x":[[1,2]]},"outputs":["y","z"]}',
      'INVALID_REQUEST',
      'outputs[1]',
    ],
    [
      'an empty choice of outputs',
      '{"input":{"x":[[1,2]]},"outputs":[]}',
      'INVALID_REQUEST',
      'outputs',
    ],
    ['an input without its tensor', '{"input":{}}', 'INVALID_INPUT', 'input.x'],
    [
      'an unknown tensor',
      '{"input":{"x":[[1,2]],"constructor":1}}',
      'INVALID_INPUT',
      'input.constructor',
    ],
    [
      'a field that is called __proto__',
      '{"input":{},"__proto__":{}}',
      'INVALID_REQUEST',
      '__proto__',
    ],
    ['a tensor of another rank', '{"input":{"x":[1,2]}}', 'INVALID_INPUT', 'input.x'],
    ['a string in a tensor', '{"input":{"x":[[1,"2"]]}}', 'INVALID_INPUT', 'input.x[0][1]'],
    [
      'too many rows',
      JSON.stringify({ input: { x: new Array(9).fill([1, 2]) } }),
      'INVALID_INPUT',
      'input.x',
    ],
    [
      'a tensor without end',
      `{"input":{"x":${'['.repeat(50_000)}${']'.repeat(50_000)}}}`,
      'INVALID_INPUT',
      'input.x',
    ],
  ])('for %s', async (_, body, code, path) => {
    const answer = await api.call('POST', CREATE, { body });
    expect(answer.status).toBe(400);
    const error = errorOf(answer);
    expect(error.code).toBe(code);
    expect(error.details?.path).toBe(path);
    if (path !== undefined) expect(error.message.startsWith(`${path}: `)).toBe(true);
    expect(error.message.length).toBeLessThan(400);
  });

  test('says what was got and what was expected', async () => {
    const answer = await api.call('POST', CREATE, { body: { ...INPUT, priority: 'urgent' } });
    expect(errorOf(answer).message).toBe(
      'priority: got the string "urgent", expected "high", "normal", "low"',
    );
  });

  test('for its absence', async () => {
    expect(errorOf(await api.call('POST', CREATE))).toMatchObject({
      code: 'INVALID_REQUEST',
      details: { path: 'body' },
    });
  });

  test('for its size', async () => {
    const answer = await api.call('POST', CREATE, { body: ' '.repeat(200_001) });
    expect(answer.status).toBe(413);
    expect(errorOf(answer)).toMatchObject({
      code: 'PAYLOAD_TOO_LARGE',
      message: expect.stringContaining('QUERN_BODY_LIMIT_BYTES'),
    });
  });

  test('for its size, sent in chunks', async () => {
    const status = await new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/json' };
      const sent = request(`${api.url}${CREATE}`, { method: 'POST', headers }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      sent.on('error', reject);
      for (let i = 0; i < 30; i++) sent.write('x'.repeat(10_000));
      sent.end();
    });
    expect(status).toBe(413);
  });

  test.each([
    [{ 'content-type': 'text/plain' }],
    [{ 'content-type': 'application/x-www-form-urlencoded' }],
    [{ 'content-type': 'application/json; charset=utf-16' }],
    [{ 'content-type': 'application/octet-stream' }],
    [{ 'content-encoding': 'zstd' }],
    [{ 'content-encoding': 'x'.repeat(100) }],
  ])('for %o', async (headers) => {
    const answer = await api.call('POST', CREATE, { body: INPUT, headers });
    expect(answer.status).toBe(415);
    expect(errorOf(answer).code).toBe('UNSUPPORTED_MEDIA_TYPE');
  });
});

test.each(['application/json;charset="UTF-8"', 'application/vnd.api+json', 'APPLICATION/JSON'])(
  'reads %s as JSON',
  async (type) => {
    const headers = { 'content-type': type };
    const answer = await api.call('POST', CREATE, { body: '{"input":{}}', headers });
    expect(errorOf(answer).code).toBe('INVALID_INPUT');
  },
);

describe('a name that is refused', () => {
  test.each([
    ['nothing-here', 'MODEL_NOT_FOUND'],
    ['..', 'MODEL_NOT_FOUND'],
    ['%2e%2e', 'MODEL_NOT_FOUND'],
    ['%2e%2e%2fetc', 'MODEL_NOT_FOUND'],
    ['__proto__', 'MODEL_NOT_FOUND'],
    ['constructor', 'MODEL_NOT_FOUND'],
    ['a%00b', 'MODEL_NOT_FOUND'],
    ['%F0%9F%98%80'.repeat(500), 'MODEL_NOT_FOUND'],
    ['%ff', 'INVALID_REQUEST'],
    ['%', 'INVALID_REQUEST'],
    ['{pair}:x', 'MODEL_NOT_FOUND'],
  ])('as a model: %s', async (name, code) => {
    const raw = await rawRequest(
      api.server.port,
      `POST /v1/models/${name}/predictions`,
      JSON.stringify(INPUT),
    );
    expect(raw.status).toBeGreaterThanOrEqual(400);
    expect(raw.status).toBeLessThan(500);
    expect(raw.body).toMatchObject({ error: { code } });
    expect(JSON.stringify(raw.body).length).toBeLessThan(600);
  });

  test.each(['../x', '__proto__', '😀'.repeat(2500), 'a\0b', '', 'x:1'])(
    'as a model in the body: %j',
    async (name) => {
      const answer = await api.call('POST', '/v1/predictions', { body: { ...INPUT, model: name } });
      expect(answer.status).toBe(404);
      expect(errorOf(answer).code).toBe('MODEL_NOT_FOUND');
    },
  );

  test.each(['0', '3', '-1', '1.0', '%00', '__proto__', 'latest'])(
    'as a version: %s',
    async (version) => {
      const path = `/v1/models/pair/versions/${version}/predictions`;
      const answer = await api.call('POST', path, { body: INPUT });
      expect(answer.status).toBe(404);
      expect(errorOf(answer)).toMatchObject({ code: 'VERSION_NOT_FOUND' });
    },
  );

  test.each([
    [{}, 'model'],
    [{ version: 'pair' }, 'version'],
    [{ model: 'pair', version: 'pair:1' }, 'version'],
  ])('as a target in the body: %o', async (named, path) => {
    const answer = await api.call('POST', '/v1/predictions', { body: { ...INPUT, ...named } });
    expect(errorOf(answer)).toMatchObject({ code: 'INVALID_REQUEST', details: { path } });
  });

  test.each([
    ['17', '17'],
    ['a%3Ab', 'a:b'],
    ['%2e%2e', '..'],
    ['x'.repeat(129), 'xxx'],
  ])('as an id: %s', async (id, shown) => {
    const raw = await rawRequest(
      api.server.port,
      `PUT /v1/predictions/${id}`,
      JSON.stringify({ ...INPUT, model: 'pair' }),
    );
    expect(raw).toMatchObject({ status: 400, body: { error: { code: 'INVALID_REQUEST' } } });
    expect(JSON.stringify(raw.body)).toContain(shown);
    const read = await rawRequest(api.server.port, `GET /v1/predictions/${id}`);
    expect(read).toMatchObject({ status: 404, body: { error: { code: 'PREDICTION_NOT_FOUND' } } });
  });

  test('as an id in the body that is not the one in the path', async () => {
    const body = { ...INPUT, model: 'pair', id: 'other' };
    const answer = await api.call('PUT', '/v1/predictions/this', { body });
    expect(errorOf(answer)).toMatchObject({ code: 'INVALID_REQUEST', details: { path: 'id' } });
  });

  test.each([0, 256])('as an idempotency key of %i characters', async (length) => {
    const answer = await api.call('POST', CREATE, {
      body: INPUT,
      headers: { 'idempotency-key': 'x'.repeat(length) },
    });
    expect(errorOf(answer)).toMatchObject({
      code: 'INVALID_REQUEST',
      details: { path: 'Idempotency-Key' },
    });
  });
});

describe('a query that is refused', () => {
  test.each([
    ['/v1/predictions?limit=0', 'limit'],
    ['/v1/predictions?limit=101', 'limit'],
    ['/v1/predictions?limit=ten', 'limit'],
    ['/v1/predictions?limit=1&limit=2', 'limit'],
    ['/v1/predictions?status=done', 'status'],
    ['/v1/predictions?cursor=%7B%7D', 'cursor'],
    ['/v1/predictions/some-id?wait=61', 'wait'],
    ['/v1/predictions/some-id?wait=-1', 'wait'],
    ['/v1/predictions/some-id?wait=', 'wait'],
  ])('%s', async (path, field) => {
    const answer = await api.call('GET', path);
    expect(answer.status).toBe(400);
    expect(errorOf(answer)).toMatchObject({ code: 'INVALID_REQUEST', details: { path: field } });
  });

  test('names the unknown model of a list', async () => {
    expect((await api.call('GET', '/v1/predictions?model=nope')).status).toBe(404);
  });

  test('passes over parameters that it does not know', async () => {
    expect((await api.call('GET', '/v1/predictions?utm_source=x')).status).toBe(200);
  });
});

describe('paths and methods', () => {
  test.each(['/v1', '/v1/nothing', '/V1/models', '/docs/../package.json', '/docs/package.json'])(
    'has nothing at %s',
    async (path) => {
      const raw = await rawRequest(api.server.port, `GET ${path}`);
      expect(raw).toMatchObject({ status: 404, body: { error: { code: 'NOT_FOUND' } } });
    },
  );

  test('answers on /v2 with a string', async () => {
    const answer = await api.call('GET', '/v2/nothing');
    expect(answer).toMatchObject({
      status: 404,
      json: { error: expect.stringMatching(/^NOT_FOUND: No such path/) },
    });
  });

  test.each([
    ['DELETE', '/v1/predictions/x', 'GET, HEAD, OPTIONS, PUT'],
    ['GET', CREATE, 'OPTIONS, POST'],
    ['PATCH', '/v1/models', 'GET, HEAD, OPTIONS'],
  ])('refuses %s %s and says what it takes', async (method, path, allow) => {
    const answer = await api.call(method, path);
    expect(answer.status).toBe(405);
    expect(answer.headers.get('allow')).toBe(allow);
    expect(errorOf(answer).code).toBe('METHOD_NOT_ALLOWED');
  });

  test('says with OPTIONS what a path takes', async () => {
    const answer = await api.call('OPTIONS', CREATE);
    expect(answer).toMatchObject({ status: 204, text: '' });
    expect(answer.headers.get('allow')).toBe('OPTIONS, POST');
  });

  test('answers HEAD as GET without the body', async () => {
    const headers = { 'accept-encoding': 'identity' };
    const [head, get] = [
      await api.call('HEAD', '/v1/models', { headers }),
      await api.call('GET', '/v1/models', { headers }),
    ];
    expect(head).toMatchObject({ status: 200, text: '' });
    expect(head.headers.get('content-length')).toBe(get.headers.get('content-length'));
  });

  test('answers what is not HTTP with an error of the same form', async () => {
    const garbage = await rawText(api.server.port, 'NOT HTTP\r\n\r\n');
    expect(garbage).toMatch(/^HTTP\/1\.1 400 [\s\S]*"code":"INVALID_REQUEST"/);
    const longName = 'x'.repeat(40_000);
    const overflow = await rawText(
      api.server.port,
      `GET /v1/models/${longName} HTTP/1.1\r\nHost: a\r\n\r\n`,
    );
    expect(overflow).toMatch(/^HTTP\/1\.1 431 [\s\S]*"code":"INVALID_REQUEST"/);
  });
});

describe('models and queues that refuse', () => {
  test('one that cannot be loaded', async () => {
    const answer = await api.call('POST', '/v1/models/broken/predictions', { body: INPUT });
    expect(answer.status).toBe(503);
    expect(errorOf(answer)).toMatchObject({ code: 'MODEL_UNAVAILABLE' });
    expect(errorOf(answer).message).toContain('the file is cut off');
    expect(answer.headers.get('retry-after')).toBe('5');
  });
});
