import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startEchoWorker } from './echo-worker.ts';
import { RunningApi } from './running-api.ts';

const INFER = '/v2/models/pair/infer';
const LENGTH = 'inference-header-content-length';

let api: RunningApi;
const workers: { close: () => Promise<void> }[] = [];
beforeAll(async () => {
  api = await RunningApi.start({ bodyLimitBytes: 600_000 });
  for (const model of ['pair', 'exact', 'wide']) {
    workers.push(await startEchoWorker(api.redisServer.url, model));
  }
});
afterAll(async () => {
  await Promise.all(workers.map((worker) => worker.close()));
  await api.stop();
});

interface Sent {
  readonly json: object | undefined;
  readonly binary: Uint8Array;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

interface Received {
  readonly status: number;
  readonly headers: Headers;
  readonly json: Record<string, unknown>;
  readonly binary: Uint8Array;
}

async function post({ json, binary, path = INFER, headers = {} }: Sent): Promise<Received> {
  const text = json === undefined ? '' : JSON.stringify(json);
  const response = await fetch(`${api.url}${path}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/octet-stream',
      [LENGTH]: String(Buffer.byteLength(text)),
      ...headers,
    },
    body: Buffer.concat([Buffer.from(text), binary]),
  });
  const body = Buffer.from(await response.arrayBuffer());
  const length = Number(response.headers.get(LENGTH) ?? body.byteLength);
  return {
    status: response.status,
    headers: response.headers,
    json: JSON.parse(body.toString('utf8', 0, length)) as Record<string, unknown>,
    binary: new Uint8Array(body.subarray(length)),
  };
}

const floats = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);

function pairInput(rows: number, size = rows * 8) {
  const parameters = { binary_data_size: size };
  return { name: 'x', shape: [rows, 2], datatype: 'FP32', parameters };
}

describe('tensors in binary form', () => {
  test('come in and go out', async () => {
    const binary = floats(1.5, -2, 3, 4);
    const json = { id: 'b', inputs: [pairInput(2)], parameters: { binary_data_output: true } };
    const answer = await post({ json, binary });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('application/octet-stream');
    expect(answer.json).toEqual({
      model_name: 'pair',
      model_version: '2',
      id: 'b',
      outputs: [
        { name: 'y', datatype: 'FP32', shape: [2, 2], parameters: { binary_data_size: 16 } },
      ],
    });
    expect(answer.binary).toEqual(binary);
  });

  test('come in binary and go out as JSON, and the other way round', async () => {
    const answer = await post({ json: { inputs: [pairInput(1)] }, binary: floats(1, 2) });
    expect(answer.json['outputs']).toMatchObject([{ data: [1, 2] }]);
    const json = {
      inputs: [{ name: 'x', shape: [1, 2], datatype: 'FP32', data: [3, 4] }],
      outputs: [{ name: 'y', parameters: { binary_data: true } }],
    };
    const other = await post({ json, binary: new Uint8Array() });
    expect(other.binary).toEqual(floats(3, 4));
  });

  test('are mixed by output, in the order that was asked for', async () => {
    const json = {
      inputs: [{ name: 'n', shape: [1], datatype: 'INT64', parameters: { binary_data_size: 8 } }],
      outputs: [{ name: 'text', parameters: { binary_data: true } }, { name: 'n' }],
    };
    const binary = new Uint8Array(BigInt64Array.of(2n ** 53n + 1n).buffer);
    const answer = await post({ json, binary, path: '/v2/models/exact/infer' });
    expect(answer.json['outputs']).toMatchObject([
      { name: 'text', parameters: { binary_data_size: 13 } },
      { name: 'n', data: [2 ** 53] },
    ]);
    expect(Buffer.from(answer.binary).toString('utf8', 4)).toBe('ein Wört');
  });

  test('of a quarter of a megabyte keep every byte', async () => {
    const binary = floats(...Array.from({ length: 65_536 }, (_, i) => i / 7));
    const parameters = { binary_data_size: binary.byteLength };
    const input = { name: 'x', shape: [1, 65_536], datatype: 'FP32', parameters };
    const json = { inputs: [input], parameters: { binary_data_output: true } };
    const answer = await post({ json, binary, path: '/v2/models/wide/infer' });
    expect(Buffer.from(answer.binary).equals(binary)).toBe(true);
  });

  test('can be the whole body', async () => {
    const answer = await post({ json: undefined, binary: floats(5, 6) });
    expect(answer.status).toBe(200);
    expect(answer.binary).toEqual(floats(5, 6));
  });
});

test('the best classes come instead of the scores, with their labels', async () => {
  const outputs = [{ name: 'y', parameters: { classification: 1 } }];
  const answer = await post({
    json: { inputs: [pairInput(2)], outputs },
    binary: floats(1, 2, 4, 3),
  });
  expect(answer.json['outputs']).toEqual([
    { name: 'y', datatype: 'BYTES', shape: [2, 1], data: ['2.000000:1:right', '4.000000:0:left'] },
  ]);
});

describe('refused', () => {
  test.each([
    ['a length beyond the body', { [LENGTH]: '9999' }, 'claims 9999 bytes of JSON'],
    ['a length that is none', { [LENGTH]: '-1' }, 'expected a number of bytes'],
    ['a length that cuts the JSON', { [LENGTH]: '10' }, 'INVALID_JSON'],
  ])('%s', async (_title, headers, problem) => {
    const answer = await post({ json: { inputs: [pairInput(1)] }, binary: floats(1, 2), headers });
    expect(answer.status).toBe(400);
    expect(answer.json['error']).toContain(problem);
  });

  test('bytes that are fewer, or more, than they are said to be', async () => {
    for (const [size, problem] of [
      [9, 'claims 9 bytes, but 8 are left'],
      [7, 'got 7 bytes, expected 8'],
    ] as const) {
      const answer = await post({ json: { inputs: [pairInput(1, size)] }, binary: floats(1, 2) });
      expect(answer.status).toBe(400);
      expect(answer.json['error']).toContain(problem);
    }
    const more = await post({ json: { inputs: [pairInput(1)] }, binary: floats(1, 2, 3) });
    expect(more.json['error']).toContain('4 bytes are left over');
  });
});

describe('a body', () => {
  const text = JSON.stringify({
    inputs: [{ name: 'x', shape: [1, 2], datatype: 'FP32', data: [1, 2] }],
  });

  test.each([
    ['gzip', gzipSync(text)],
    ['deflate', deflateSync(text)],
    ['br', brotliCompressSync(text)],
  ])('may come in %s', async (encoding, body) => {
    const headers = { 'content-encoding': encoding };
    expect(await api.call('POST', INFER, { body, headers })).toMatchObject({ status: 200 });
  });

  test('that is not what its encoding says is refused', async () => {
    const headers = { 'content-encoding': 'gzip' };
    expect(await api.call('POST', INFER, { body: text, headers })).toMatchObject({ status: 400 });
  });

  test('that unpacks to more than the limit is refused', async () => {
    const body = gzipSync(Buffer.alloc(50_000_000, ' '));
    expect(body.byteLength).toBeLessThan(100_000);
    const headers = { 'content-encoding': 'gzip' };
    expect(await api.call('POST', INFER, { body, headers })).toMatchObject({ status: 413 });
  });

  test('without a type is taken as JSON from programs, not from pages', async () => {
    const bare = { method: 'POST', body: Buffer.from(text) };
    expect((await fetch(`${api.url}${INFER}`, bare)).status).toBe(200);
    const fromPage = { ...bare, headers: { origin: 'http://somewhere.example' } };
    expect((await fetch(`${api.url}${INFER}`, fromPage)).status).toBe(415);
  });
});

test('large JSON answers are compressed for who asks', async () => {
  const shape = [1, 65_536];
  const data = new Array<number>(65_536).fill(0);
  const body = { inputs: [{ name: 'x', shape, datatype: 'FP32', data }] };
  const call = (encoding: string) =>
    api.call('POST', '/v2/models/wide/infer', { body, headers: { 'accept-encoding': encoding } });
  const [packed, plain] = [await call('gzip'), await call('identity')];
  expect(packed.headers.get('content-encoding')).toBe('gzip');
  expect(plain.headers.get('content-encoding')).toBeNull();
  expect(packed.text).toBe(plain.text);
});
