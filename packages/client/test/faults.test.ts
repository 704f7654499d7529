import { eventually } from '@quern/testkit';
import { describe, expect, test } from 'vitest';
import { ApiError, ConnectionError, PredictionError, QuernClient } from '../src/index.ts';
import { deferred } from './deferred.ts';
import { answer, refuse, ScriptedServer, unfinished, wirePrediction } from './scripted-server.ts';

const INPUT = { x: [[1, 2]] };
const OUTPUT = { y: [[1, 2]] };

async function caught(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => expect.fail('it was expected to reject'),
    (error: unknown) => error,
  );
}

const idOf = (text: string) => (JSON.parse(text) as { id: unknown }).id;

describe('a request is sent again', () => {
  test.each([
    [429, 'QUEUE_FULL'],
    [503, 'REDIS_UNAVAILABLE'],
    [504, 'WAIT_TIMEOUT'],
  ])('after %i, under the same id', async (status, code) => {
    await using server = await ScriptedServer.start((_, response, index) => {
      if (index === 0) refuse(response, status, code);
      else answer(response, 200, wirePrediction());
    });
    expect(await new QuernClient(server).predict('digits', INPUT)).toEqual(OUTPUT);
    const [first, second] = server.requests.map(({ text }) => text);
    expect(first).toBe(second);
    expect(idOf(first ?? '')).toMatch(
      /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/,
    );
  });

  test('after the page of a proxy that cannot reach the API', async () => {
    await using server = await ScriptedServer.start((_, response, index) => {
      if (index === 0) answer(response, 502, '<h1>Bad Gateway</h1>');
      else answer(response, 200, wirePrediction());
    });
    expect(await new QuernClient(server).predict('digits', INPUT)).toEqual(OUTPUT);
  });

  test('after a connection that broke in mid-body', async () => {
    await using server = await ScriptedServer.start((_, response, index) => {
      if (index > 0) return answer(response, 200, wirePrediction());
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
      response.write('{"id":', () => response.destroy());
    });
    expect(await new QuernClient(server).predict('digits', INPUT)).toEqual(OUTPUT);
    expect(server.requests[0]?.text).toBe(server.requests[1]?.text);
  });

  test('after an answer that did not come in time', async () => {
    await using server = await ScriptedServer.start((_, response, index) => {
      if (index > 0) answer(response, 200, wirePrediction());
    });
    const client = new QuernClient({ url: server.url, timeoutMs: 500 });
    expect((await client.get('digits.1')).output).toEqual(OUTPUT);
    expect(server.requests).toHaveLength(2);
  });

  test('not before the time that Retry-After names', async () => {
    const arrivedAtMs: number[] = [];
    await using server = await ScriptedServer.start((_, response, index) => {
      arrivedAtMs.push(performance.now());
      if (index === 0) refuse(response, 429, 'QUEUE_FULL', { 'retry-after': '1' });
      else answer(response, 200, wirePrediction());
    });
    await new QuernClient(server).predict('digits', INPUT);
    const [first = 0, second = 0] = arrivedAtMs;
    expect(second - first).toBeGreaterThanOrEqual(995);
  });

  test('with the same Idempotency-Key if the caller names one', async () => {
    await using server = await ScriptedServer.start((_, response, index) => {
      if (index === 0) refuse(response, 503, 'SHUTTING_DOWN');
      else answer(response, 202, unfinished());
    });
    await new QuernClient(server).submit('digits', INPUT, { idempotencyKey: 'order-7' });
    expect(server.requests.map(({ headers }) => headers['idempotency-key'])).toEqual([
      'order-7',
      'order-7',
    ]);
    expect(server.requests.map(({ text }) => idOf(text))).toEqual([undefined, undefined]);
  });
});

describe('a request is not sent again', () => {
  test.each([
    [400, 'INVALID_INPUT'],
    [401, 'UNAUTHENTICATED'],
    [404, 'MODEL_NOT_FOUND'],
    [409, 'CONFLICT'],
    [413, 'PAYLOAD_TOO_LARGE'],
    [500, 'INTERNAL'],
  ])('after %i %s', async (status, code) => {
    await using server = await ScriptedServer.start((_, response) => {
      const details = { path: 'input.x' };
      const headers = { 'x-request-id': 'request-9' };
      answer(response, status, { error: { code, message: 'No.', details } }, headers);
    });
    const error = await caught(new QuernClient(server).predict('digits', INPUT));
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({
      code,
      status,
      message: 'No.',
      retryable: false,
      details: { path: 'input.x' },
      requestId: 'request-9',
    });
    expect(server.requests).toHaveLength(1);
  });

  test('more often than asked', async () => {
    await using server = await ScriptedServer.start((_, response) =>
      refuse(response, 429, 'QUEUE_FULL', { 'retry-after': '0' }),
    );
    const client = new QuernClient({ url: server.url, retries: 2 });
    const error = await caught(client.predict('digits', INPUT));
    expect(error).toMatchObject({ code: 'QUEUE_FULL', retryable: true, retryAfterMs: 0 });
    expect(server.requests).toHaveLength(3);
  });

  test('when it would be sent hours later', async () => {
    await using server = await ScriptedServer.start((_, response) =>
      refuse(response, 429, 'QUEUE_FULL', { 'retry-after': '7200' }),
    );
    const error = await caught(new QuernClient(server).predict('digits', INPUT));
    expect(error).toMatchObject({ code: 'QUEUE_FULL', retryAfterMs: 7_200_000 });
    expect(server.requests).toHaveLength(1);
  });
});

describe('without an answer of Quern', () => {
  test('says where nobody answers', async () => {
    const server = await ScriptedServer.start(() => {});
    await server[Symbol.asyncDispose]();
    const client = new QuernClient({ url: server.url, retries: 0 });
    const error = await caught(client.models());
    expect(error).toBeInstanceOf(ConnectionError);
    expect(error).toMatchObject({ code: 'UNREACHABLE', retryable: true });
    expect(String(error)).toContain(server.url);
    expect(String(error)).toContain('ECONNREFUSED');
  });

  test.each([
    ['a page', '<html>', /not JSON/],
    ['another API', '{"hello":1}', /id: got undefined, expected a string/],
    ['a list', '[]', /expected an object/],
    [
      'a tensor that lies',
      JSON.stringify(
        wirePrediction({ output: { y: { shape: [3], datatype: 'FP32', b64: 'AAAA' } } }),
      ),
      /output\.y/,
    ],
  ])('says so of %s', async (_, body, message) => {
    await using server = await ScriptedServer.start((_request, response) =>
      answer(response, 200, body),
    );
    const error = await caught(new QuernClient(server).get('digits.1'));
    expect(error).toBeInstanceOf(ConnectionError);
    expect(error).toMatchObject({ code: 'BAD_ANSWER', message: expect.stringMatching(message) });
    expect(server.requests).toHaveLength(1);
  });

  test.each(['', 'localhost:8080', 'ftp://x', 'http://'])('refuses the URL %j', (url) => {
    expect(() => new QuernClient({ url })).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID' }),
    );
  });
});

describe('an abort', () => {
  test('ends a wait at once with its reason, hangs up, and cancels the prediction', async () => {
    const arrived = deferred<void>();
    const canceled = deferred<string>();
    await using server = await ScriptedServer.start(({ method, url, text }, response) => {
      if (url.endsWith('/cancel')) {
        canceled.resolve(url);
        answer(response, 200, wirePrediction({ status: 'canceled', output: null }));
      } else if (method === 'POST') {
        answer(response, 202, { ...unfinished(), id: idOf(text) });
      } else {
        arrived.resolve();
      }
    });
    const controller = new AbortController();
    const options = { id: 'mine', signal: controller.signal };
    const prediction = caught(new QuernClient(server).predict('digits', INPUT, options));
    await arrived.promise;
    controller.abort(new Error('enough'));
    expect(await prediction).toMatchObject({ message: 'enough' });
    expect(await canceled.promise).toBe('/v1/predictions/mine/cancel');
    await eventually(() => expect(server.hangUps).toBe(1));
  });

  test('in a pause before a retry ends it', async () => {
    const refused = deferred<void>();
    await using server = await ScriptedServer.start((_, response) => {
      refuse(response, 429, 'QUEUE_FULL', { 'retry-after': '60' });
      response.on('finish', () => refused.resolve());
    });
    const controller = new AbortController();
    const { signal } = controller;
    const submission = caught(new QuernClient(server).submit('digits', INPUT, { signal }));
    await refused.promise;
    controller.abort('enough');
    expect(await submission).toBe('enough');
  });

  test('beforehand sends nothing', async () => {
    await using server = await ScriptedServer.start((_, response) => answer(response, 200, {}));
    const signal = AbortSignal.abort('no');
    expect(await caught(new QuernClient(server).models({ signal }))).toBe('no');
    expect(server.requests).toEqual([]);
  });
});

test('a prediction without an output is an error with its code', async () => {
  const fault = { code: 'RUNNER_CRASHED', message: 'It died.', retryable: true };
  await using server = await ScriptedServer.start((_, response) =>
    answer(response, 200, wirePrediction({ status: 'failed', output: null, error: fault })),
  );
  const error = await caught(new QuernClient(server).predict('digits', INPUT));
  expect(error).toBeInstanceOf(PredictionError);
  expect(error).toMatchObject({
    code: 'RUNNER_CRASHED',
    retryable: true,
    message: expect.stringContaining('It died.'),
    prediction: { id: 'digits.1', status: 'failed' },
  });
});

test('the key, and only the key, goes into the Authorization header', async () => {
  await using server = await ScriptedServer.start((_, response) =>
    answer(response, 200, { results: [] }),
  );
  await new QuernClient({ url: `${server.url}/`, apiKey: 'k1' }).models();
  await new QuernClient(server).models();
  expect(server.requests.map(({ headers }) => headers.authorization)).toEqual([
    'Bearer k1',
    undefined,
  ]);
  expect(server.calls).toEqual(['GET /v1/models', 'GET /v1/models']);
});
