import { eventually, type TestProcess } from '@quern/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { untilEnded } from './load.ts';
import { type Refusal, submit } from './predictions.ts';
import { dripRequest, type RawAnswer, type RawRequest, rawRequest } from './raw-request.ts';
import { type RunningStack, startStack } from './running-stack.ts';

const BODY_LIMIT = 65_536;
const REQUEST_TIMEOUT_MS = 1500;
const PATH = '/v1/models/table/predictions';
const JSON_TYPE = { 'content-type': 'application/json' };
const GOOD = '{"input":{"index":[1]}}';

/** As they stand in a path; each is a model that cannot be. */
const HOSTILE_NAMES = [
  '../table',
  '..%2ftable',
  '%2e%2e%2f%2e%2e%2fetc%2fpasswd',
  '__proto__',
  'constructor',
  'toString',
  'table%00',
  'table%0d%0aX-Header:%20yes',
  'table*',
  '%7Btable%7D',
  'table:1',
  '%F0%9F%92%A9',
  '%ff%fe',
  encodeURIComponent('\u202e\u0000\ud7ff字'.repeat(1000)),
];

let running: RunningStack;
let api: TestProcess;
let keysBefore: string[];
/** Good predictions so far: what else is in Redis came from the bad ones. */
let accepted = 0;

beforeAll(async () => {
  running = await startStack({
    models: [{ name: 'table', onnx: 'gather' }],
    env: {
      QUERN_BODY_LIMIT_BYTES: String(BODY_LIMIT),
      QUERN_REQUEST_TIMEOUT_MS: String(REQUEST_TIMEOUT_MS),
    },
  });
  api = running.stack.api;
  // The first prediction makes what every model has in Redis; its statistics follow a moment later.
  await succeed();
  await eventually(async () => {
    expect(await keys()).toContain('quern:{table}.statistics:1');
  });
});

afterAll(() => running?.stop());

beforeEach(async () => {
  keysBefore = await keys();
});

// Whatever came in: nothing was enqueued, and the same process serves on.
afterEach(async () => {
  expect(await keys()).toEqual(keysBefore);
  expect(await running.redis.client.zcard('quern:{table}.predictions')).toBe(accepted);
  expect(api.exit).toBeUndefined();
  await succeed();
});

describe('a body', () => {
  it.each<[string, string | Uint8Array, string]>([
    ['that is cut off', '{"input":{"index":[1', 'INVALID_JSON'],
    ['that is empty', '', 'INVALID_REQUEST'],
    ['that is not UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d]), 'INVALID_JSON'],
    ['that is a list', '[1,2,3]', 'INVALID_REQUEST'],
    ['that is null', 'null', 'INVALID_REQUEST'],
    ['without an input', '{}', 'INVALID_REQUEST'],
    ['with a list as input', '{"input":[1]}', 'INVALID_REQUEST'],
    ['with an unknown field', '{"input":{"index":[1]},"modle":"x"}', 'INVALID_REQUEST'],
    ['with an unknown tensor', '{"input":{"index":[1],"more":[2]}}', 'INVALID_INPUT'],
    ['with text for a number', '{"input":{"index":["one"]}}', 'INVALID_INPUT'],
    ['with a fraction', '{"input":{"index":[0.5]}}', 'INVALID_INPUT'],
    ['with a number beyond INT64', '{"input":{"index":[9223372036854775808]}}', 'INVALID_INPUT'],
    ['with an infinite number', '{"input":{"index":[1e999]}}', 'INVALID_INPUT'],
    ['with the wrong rank', '{"input":{"index":[[1]]}}', 'INVALID_INPUT'],
    ['with no row', '{"input":{"index":[]}}', 'INVALID_INPUT'],
    ['of 20,000 levels', nested(20_000), 'INVALID_'],
    [
      'with a shape of 2^64 elements',
      '{"input":{"index":{"shape":[4294967296,4294967296],"datatype":"INT64","data":[]}}}',
      'INVALID_INPUT',
    ],
    [
      'with a negative shape',
      '{"input":{"index":{"shape":[-1],"datatype":"INT64","data":[1]}}}',
      'INVALID_INPUT',
    ],
    ['with false base64', '{"input":{"index":{"shape":[1],"b64":"%%%"}}}', 'INVALID_INPUT'],
    ['with __proto__ as a tensor', '{"input":{"__proto__":{"index":[1]}}}', 'INVALID_INPUT'],
    ['with __proto__ as a field', '{"__proto__":{"input":{"index":[1]}}}', 'INVALID_REQUEST'],
    ['with an id that is a path', '{"input":{"index":[1]},"id":"../../x"}', 'INVALID_REQUEST'],
    ['with an id of BullMQ', '{"input":{"index":[1]},"id":"meta"}', 'INVALID_REQUEST'],
    ['with an unknown priority', '{"input":{"index":[1]},"priority":9}', 'INVALID_REQUEST'],
    ['with a negative timeout', '{"input":{"index":[1]},"timeout_ms":-5}', 'INVALID_REQUEST'],
    ['over the limit', `{"input":"${'x'.repeat(2 * BODY_LIMIT)}"}`, 'PAYLOAD_TOO_LARGE'],
  ])('%s is refused', async (_title, body, code) => {
    expectRefusal(await send(PATH, { body, headers: JSON_TYPE }), code);
    expectRefusal(
      await send('/v1/models/table/versions/1/predictions', { body, headers: JSON_TYPE }),
      code,
    );
  });

  it.each([
    [{ 'content-type': 'text/plain' }, 'UNSUPPORTED_MEDIA_TYPE'],
    [{ 'content-type': 'application/json; charset=utf-16' }, 'UNSUPPORTED_MEDIA_TYPE'],
    [{ ...JSON_TYPE, 'content-encoding': 'zstd' }, 'UNSUPPORTED_MEDIA_TYPE'],
    [{ ...JSON_TYPE, 'content-encoding': 'gzip' }, 'INVALID_REQUEST'],
    [{ ...JSON_TYPE, 'idempotency-key': 'k'.repeat(300) }, 'INVALID_REQUEST'],
  ])('with headers %j is refused', async (headers, code) => {
    expectRefusal(await send(PATH, { body: GOOD, headers }), code);
  });
});

describe.each(HOSTILE_NAMES.map((name) => [name.slice(0, 40), name]))('the name %s', (_s, name) => {
  it('is no model, in a path or in a body', async () => {
    const body = { body: GOOD, headers: JSON_TYPE };
    expectRefusal(await send(`/v1/models/${name}/predictions`, body), /NOT_FOUND|INVALID_REQUEST/);
    expectRefusal(await get(`/v1/models/${name}`), /NOT_FOUND|INVALID_REQUEST/);
    expect((await send(`/v2/models/${name}/infer`, body)).status).toBeGreaterThanOrEqual(400);
    const model = decoded(name);
    for (const target of [{ model }, { version: `${model}:1` }, { version: `table:${model}` }]) {
      const sent = { body: JSON.stringify({ input: { index: [1] }, ...target }) };
      const answer = await send('/v1/predictions', { ...sent, headers: JSON_TYPE });
      expectRefusal(answer, /_NOT_FOUND|INVALID_REQUEST/);
    }
  });

  it('is no prediction', async () => {
    for (const path of [`/v1/predictions/${name}`, `/v1/predictions/no-model.${name}`]) {
      expectRefusal(await get(path), /NOT_FOUND|INVALID_REQUEST/);
      expectRefusal(await send(`${path}/cancel`, {}), /NOT_FOUND|INVALID_REQUEST/);
    }
  });
});

describe('a slow client', () => {
  const head = `POST ${PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n`;

  it.each([
    ['headers', head, 'X-Drip: 1\r\n'],
    ['body', `${head}Content-Length: 1000\r\n\r\n`, ' '],
  ])(
    'that never finishes its %s is cut off, and keeps nobody waiting',
    async (_t, opening, drip) => {
      const { apiUrl } = running.stack;
      const clients = Array.from({ length: 50 }, () => dripRequest(apiUrl, opening, drip, 100));
      for (let i = 0; i < 5; i++) await succeed();
      for (const heard of await Promise.all(clients)) expect(heard).toMatch(/^HTTP\/1\.1 408 /);
    },
  );
});

/** Keys of Redis, but for jobs, which are counted, and what comes and goes by itself. */
/** What requests can make; locks and what workers note by themselves come and go. */
async function keys(): Promise<string[]> {
  const all = await running.redis.client.keys('*');
  return all
    .filter((key) => !/:(stalled-check|stalled|marker)$|\.profiles$|:table\.[0-9a-z]{26}/.test(key))
    .sort();
}

function send(path: string, request: RawRequest): Promise<RawAnswer> {
  return rawRequest(running.stack.apiUrl, path, request);
}

function get(path: string): Promise<RawAnswer> {
  return send(path, { method: 'GET' });
}

function expectRefusal(answer: RawAnswer, code: string | RegExp): void {
  expect(answer.status, answer.text).toBeGreaterThanOrEqual(400);
  expect(answer.status, answer.text).toBeLessThan(500);
  const { error } = JSON.parse(answer.text) as Refusal;
  if (typeof code === 'string') expect(error.code).toContain(code);
  else expect(error.code).toMatch(code);
  expect(error.message.length).toBeGreaterThan(5);
  expect(error.message.length).toBeLessThan(1000);
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

function nested(levels: number): string {
  return `{"input":{"index":${'['.repeat(levels)}${']'.repeat(levels)}}}`;
}

/** A neighbour's prediction. */
async function succeed(): Promise<void> {
  const { stack } = running;
  const id = await submit(stack, 'table', { index: [7] });
  accepted += 1;
  expect(await untilEnded(stack, id, 30_000)).toMatchObject({ output: { y: [[14, 15]] } });
}
