import { eventually } from '@quern/testkit';
import { describe, expect, test } from 'vitest';
import {
  type ManyResult,
  type PredictManyOptions,
  QuernClient,
  tensor,
  WaitTimeoutError,
} from '../src/index.ts';
import { answer, refuse, ScriptedServer, unfinished, wirePrediction } from './scripted-server.ts';

const INPUT = { x: [[1, 2]] };
const bodyOf = (text: string) => JSON.parse(text) as Record<string, unknown>;

async function gather<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

describe('submit', () => {
  test('says everything that the caller asks for, in the API’s words', async () => {
    await using server = await ScriptedServer.start((_, response) =>
      answer(response, 202, unfinished()),
    );
    const handle = await new QuernClient(server).submit('a b', INPUT, {
      version: 2,
      outputs: ['y'],
      priority: 'high',
      expiresAfterMs: 500,
      metadata: { order: 7 },
      webhook: 'https://example.com/',
      webhookEvents: ['start', 'completed'],
      id: 'mine',
    });
    expect(handle).toMatchObject({ id: 'digits.1', accepted: { status: 'starting' } });
    const [request] = server.requests;
    expect(server.calls).toEqual(['POST /v1/models/a%20b/versions/2/predictions']);
    expect(request?.headers['prefer']).toBeUndefined();
    expect(bodyOf(request?.text ?? '')).toEqual({
      input: INPUT,
      outputs: ['y'],
      priority: 'high',
      timeout_ms: 500,
      metadata: { order: 7 },
      webhook: 'https://example.com/',
      webhook_events_filter: ['start', 'completed'],
      id: 'mine',
    });
  });

  test('gives a handle that waits, over as many polls as it takes', async () => {
    await using server = await ScriptedServer.start(({ method }, response, index) => {
      if (method === 'POST') answer(response, 202, unfinished());
      else answer(response, 200, index < 3 ? unfinished('processing') : wirePrediction());
    });
    const handle = await new QuernClient(server).submit('digits', INPUT);
    expect(await handle.output()).toEqual({ y: [[1, 2]] });
    expect(server.calls.slice(1)).toEqual(
      new Array(3).fill('GET /v1/predictions/digits.1?wait=25'),
    );
  });
});

describe('wait', () => {
  test('ends with an error when its time is over, and the prediction goes on', async () => {
    await using server = await ScriptedServer.start((_, response, index) => {
      if (index === 0) answer(response, 200, unfinished());
    });
    const waiting = new QuernClient(server).wait('digits.1', { timeoutMs: 300 });
    const error = await waiting.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(WaitTimeoutError);
    expect(error).toMatchObject({
      code: 'WAIT_TIMEOUT',
      retryable: true,
      predictionId: 'digits.1',
    });
    expect(server.calls.filter((call) => call.includes('cancel'))).toEqual([]);
  });

  test('reads times, figures and faults', async () => {
    const error = { code: 'INFERENCE_FAILED', message: 'No.', retryable: false };
    await using server = await ScriptedServer.start((_, response) =>
      answer(
        response,
        200,
        wirePrediction({ status: 'failed', output: null, error, metadata: { a: 1 } }),
      ),
    );
    expect(await new QuernClient(server).wait('digits.1')).toEqual({
      id: 'digits.1',
      model: 'digits',
      version: '1',
      status: 'failed',
      output: null,
      error,
      metrics: { queueTimeMs: 1.5, inferenceTimeMs: 2, totalTimeMs: 4, batchSize: 3, attempts: 1 },
      createdAt: new Date('2026-11-23T18:46:44.851Z'),
      startedAt: new Date('2026-11-23T18:46:44.857Z'),
      completedAt: new Date('2026-11-23T18:46:44.860Z'),
      expiresAt: null,
      dataRemoved: false,
      metadata: { a: 1 },
    });
  });
});

test('stream yields every status that is seen once', async () => {
  const seen = ['starting', 'starting', 'processing', 'processing', 'succeeded'] as const;
  await using server = await ScriptedServer.start((_, response, index) => {
    const status = seen[index] ?? 'succeeded';
    answer(response, 200, status === 'succeeded' ? wirePrediction() : unfinished(status));
  });
  const states = await gather(new QuernClient(server).stream('digits.1'));
  expect(states.map(({ status }) => status)).toEqual(['starting', 'processing', 'succeeded']);
});

test('list goes from page to page as it is read', async () => {
  await using server = await ScriptedServer.start(({ url }, response) => {
    const isFirst = !url.includes('cursor');
    const results = [wirePrediction({ id: isFirst ? 'a' : 'b' })];
    answer(response, 200, { results, next: isFirst ? 'c+1' : null });
  });
  const list = new QuernClient(server).list({ model: 'digits', status: 'succeeded', pageSize: 1 });
  expect((await list.next()).value).toMatchObject({ id: 'a' });
  expect(server.requests).toHaveLength(1);
  expect((await gather(list)).map(({ id }) => id)).toEqual(['b']);
  expect(server.calls).toEqual([
    'GET /v1/predictions?model=digits&status=succeeded&limit=1',
    'GET /v1/predictions?model=digits&status=succeeded&limit=1&cursor=c%2B1',
  ]);
});

test('models come with names as code writes them', async () => {
  const model = {
    name: 'd_1',
    versions: [{ version: '1', max_rows: 8, labels: ['a_b'] }],
    live_workers: 2,
  };
  await using server = await ScriptedServer.start(({ url }, response) =>
    answer(response, 200, url === '/v1/models' ? { results: [model] } : model),
  );
  const client = new QuernClient(server);
  const expected = {
    name: 'd_1',
    versions: [{ version: '1', maxRows: 8, labels: ['a_b'] }],
    liveWorkers: 2,
  };
  expect(await client.models()).toEqual([expected]);
  expect(await client.model('d_1')).toEqual(expected);
});

test('a tensor is sent in binary and answered with tensors over the bytes', async () => {
  const b64 = Buffer.from(BigInt64Array.of(2n ** 60n, -1n).buffer).toString('base64');
  const output = { y: { shape: [2], datatype: 'INT64', b64 } };
  await using server = await ScriptedServer.start((_, response) =>
    answer(response, 200, wirePrediction({ output })),
  );
  const input = { x: tensor([1, 2], Float32Array.of(1, 2)) };
  const result = await new QuernClient(server).predict('digits', input);
  expect(result).toEqual({
    y: { shape: [2], datatype: 'INT64', data: BigInt64Array.of(2n ** 60n, -1n) },
  });
  expect(bodyOf(server.requests[0]?.text ?? '')['input']).toEqual({
    x: {
      shape: [1, 2],
      datatype: 'FP32',
      b64: Buffer.from(Float32Array.of(1, 2).buffer).toString('base64'),
    },
  });
});

describe('predictMany', () => {
  /**
   * Answers the input `{x: n}` with `{y: n}`, in the time that the test says, and not before `together`
   * requests were in flight at once; what n is refused.
   */
  async function echo(
    waitMs: (n: number) => number,
    refuses: (n: number) => boolean = () => false,
    together = 1,
  ) {
    const flight = { now: 0, most: 0 };
    let letGo = (): void => {};
    const enough = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    const server = await ScriptedServer.start(({ text, url }, response) => {
      if (url.endsWith('/cancel'))
        return answer(response, 200, wirePrediction({ status: 'canceled', output: null }));
      const { input, id } = bodyOf(text) as { input: { x: number }; id: string };
      flight.now += 1;
      flight.most = Math.max(flight.most, flight.now);
      if (flight.most >= together) letGo();
      void enough.then(() =>
        setTimeout(() => {
          flight.now -= 1;
          if (refuses(input.x)) refuse(response, 400, 'INVALID_INPUT');
          else answer(response, 200, wirePrediction({ id, output: { y: input.x } }));
        }, waitMs(input.x)),
      );
    });
    return { server, flight };
  }

  function* numbers(count: number) {
    for (let x = 0; x < count; x++) yield { x };
  }

  const run = (server: ScriptedServer, count: number, options: PredictManyOptions = {}) =>
    gather(new QuernClient(server).predictMany('digits', numbers(count), options));

  const outcomes = (results: readonly ManyResult<unknown, unknown>[]) =>
    results.map((result) => (result.ok ? result.output : result.error));

  test('yields in the order of the inputs, with a bounded number in flight', async () => {
    const { server, flight } = await echo(
      (x) => (x % 3) * 5,
      () => false,
      4,
    );
    await using _ = server;
    const results = await run(server, 25, { concurrency: 4 });
    expect(outcomes(results)).toEqual(Array.from({ length: 25 }, (_item, y) => ({ y })));
    expect(results.map(({ index }) => index)).toEqual(Array.from({ length: 25 }, (_item, i) => i));
    expect(flight.most).toBe(4);
  });

  test('yields as they come if asked to', async () => {
    const { server } = await echo((x) => (x === 0 ? 100 : 0));
    await using _ = server;
    const results = await run(server, 5, { concurrency: 5, order: 'completion' });
    expect(results.at(-1)).toMatchObject({ index: 0, input: { x: 0 }, output: { y: 0 } });
    expect(results).toHaveLength(5);
  });

  test('gives each input’s error to that input', async () => {
    const { server } = await echo(
      () => 0,
      (x) => x === 1,
    );
    await using _ = server;
    const [first, second, third] = await run(server, 3);
    expect([first?.ok, second?.ok, third?.ok]).toEqual([true, false, true]);
    expect(second).toMatchObject({ index: 1, input: { x: 1 }, error: { code: 'INVALID_INPUT' } });
  });

  test('reads no more inputs than there is room for while nobody takes results', async () => {
    const { server } = await echo(() => 0);
    await using _ = server;
    let read = 0;
    async function* endless() {
      for (;;) yield { x: read++ };
    }
    const results = new QuernClient(server).predictMany('digits', endless(), { concurrency: 3 });
    for (let i = 0; i < 5; i++) {
      expect((await results.next()).value).toMatchObject({ index: i });
      expect(read).toBeLessThanOrEqual(i + 3);
    }
    await results.return();
    expect((await results.next()).done).toBe(true);
  });

  test('waits for a full queue for as long as it takes', async () => {
    await using server = await ScriptedServer.start((_, response, index) => {
      if (index < 8) refuse(response, 429, 'QUEUE_FULL', { 'retry-after': '0' });
      else answer(response, 200, wirePrediction({ output: { y: 0 } }));
    });
    expect(outcomes(await run(server, 1, { retries: 1 }))).toEqual([{ y: 0 }]);
  });

  test('ends with the error of the inputs, and ends the inputs when the reader leaves', async () => {
    const { server } = await echo(() => 0);
    await using _ = server;
    const client = new QuernClient(server);
    async function* failing() {
      yield { x: 1 };
      throw new Error('no more lines');
    }
    await expect(gather(client.predictMany('digits', failing()))).rejects.toThrow('no more lines');
    let isEnded = false;
    async function* watched() {
      try {
        for (;;) yield { x: 1 };
      } finally {
        isEnded = true;
      }
    }
    for await (const _result of client.predictMany('digits', watched(), { concurrency: 1 })) break;
    expect(isEnded).toBe(true);
  });

  test('is ended by an abort, with all that is in flight canceled', async () => {
    const { server } = await echo(() => 60_000);
    await using _ = server;
    const controller = new AbortController();
    const { signal } = controller;
    const results = new QuernClient(server).predictMany('digits', numbers(9), {
      concurrency: 2,
      signal,
    });
    const first = results.next();
    await eventually(() => server.requests.length === 2);
    controller.abort(new Error('enough'));
    await expect(first).rejects.toThrow('enough');
    await eventually(() => server.calls.filter((call) => call.endsWith('/cancel')).length === 2);
  });
});
