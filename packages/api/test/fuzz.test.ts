import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { rawText } from './raw-http.ts';
import { RunningApi } from './running-api.ts';

let api: RunningApi;
beforeAll(async () => {
  api = await RunningApi.start({ bodyLimitBytes: 20_000, syncWaitMs: 20 });
});
afterAll(() => api.stop());

const RUNS = 150;
const TIMEOUT_MS = 60_000;

/**
 * Whatever comes in: never a 5xx, except that a valid `infer` finds no worker here; a refusal leaves
 * nothing in the queues; the server lives on.
 */
async function assertHarmless(
  send: () => Promise<{ status: number; text: string }>,
): Promise<void> {
  const before = await api.countWaiting();
  const { status, text } = await send();
  if (status >= 400 && !text.includes('WAIT_TIMEOUT') && !text.includes('DEADLINE_EXCEEDED')) {
    expect(status, text).toBeLessThan(500);
    expect(await api.countWaiting()).toBe(before);
    expect(text, 'an error has a code').toMatch(/[A-Z]+_[A-Z_]+/);
  }
}

const model = fc.constantFrom('pair', 'exact', 'nope', '__proto__');
const path = fc.oneof(
  model.map((name) => `/v1/models/${name}/predictions`),
  model.map((name) => `/v2/models/${name}/infer`),
  fc.constant('/v1/predictions'),
);

/** Values that are nearly right, so that they get past the first check. */
const tensor = fc.oneof(
  fc.array(fc.array(fc.oneof(fc.double(), fc.string(), fc.constant(null)), { maxLength: 3 }), {
    maxLength: 3,
  }),
  fc.record({ shape: fc.anything(), data: fc.anything(), b64: fc.string() }, { requiredKeys: [] }),
  fc.anything(),
);
const key = fc.constantFrom('x', 'n', '__proto__', 'constructor', '');
const body = fc.record(
  {
    input: fc.oneof(fc.dictionary(key, tensor), fc.anything()),
    inputs: fc.array(
      fc.record(
        { name: key, shape: fc.array(fc.integer()), datatype: fc.string(), data: tensor },
        { requiredKeys: [] },
      ),
    ),
    outputs: fc.anything(),
    parameters: fc.anything(),
    model: fc.oneof(model, fc.anything()),
    version: fc.anything(),
    id: fc.anything(),
    priority: fc.anything(),
    timeout_ms: fc.anything(),
    metadata: fc.anything(),
  },
  { requiredKeys: [] },
);

/** `fc.anything` also makes bigints, which JSON lacks but our reader knows. */
function write(value: unknown): string {
  return (
    JSON.stringify(value, (_, item) => (typeof item === 'bigint' ? Number(item) : item)) ?? 'null'
  );
}

test('any JSON', { timeout: TIMEOUT_MS }, async () => {
  await fc.assert(
    fc.asyncProperty(path, body, (where, value) =>
      assertHarmless(() => api.call('POST', where, { body: write(value) })),
    ),
    { numRuns: RUNS },
  );
});

test('any bytes', { timeout: TIMEOUT_MS }, async () => {
  await fc.assert(
    fc.asyncProperty(path, fc.uint8Array({ minLength: 1, maxLength: 300 }), (where, bytes) =>
      assertHarmless(() => api.call('POST', where, { body: bytes })),
    ),
    { numRuns: RUNS },
  );
});

test('any path and query', { timeout: TIMEOUT_MS }, async () => {
  const segment = fc.oneof(
    fc.constantFrom(
      'v1',
      'v2',
      'models',
      'predictions',
      'pair',
      'infer',
      'cancel',
      '..',
      '%2e',
      '%',
    ),
    fc.string({ unit: 'binary', maxLength: 12 }).map(encodeURIComponentLoosely),
  );
  const target = fc.tuple(fc.array(segment, { maxLength: 7 }), fc.webQueryParameters());
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH'),
      target,
      async (method, [segments, query]) => {
        const line = `${method} /${segments.join('/')}?${query} HTTP/1.1`;
        const text = await rawText(
          api.server.port,
          `${line}\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
        );
        const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1]);
        expect(status, text).toBeGreaterThanOrEqual(200);
        expect(status, text).toBeLessThan(500);
      },
    ),
    { numRuns: RUNS },
  );
});

test('any headers', { timeout: TIMEOUT_MS }, async () => {
  const name = fc.constantFrom(
    'prefer',
    'idempotency-key',
    'content-type',
    'content-encoding',
    'inference-header-content-length',
    'x-request-id',
    'authorization',
    'accept',
  );
  const value = fc
    .string({ unit: 'grapheme-ascii', maxLength: 60 })
    .map((text) => text.replaceAll(/[^\x20-\x7e]/g, ''));
  const preference = fc.nat({ max: 2 }).map((seconds) => `wait=${seconds / 2}`);
  await fc.assert(
    fc.asyncProperty(path, fc.dictionary(name, fc.oneof(value, preference)), (where, headers) =>
      assertHarmless(() =>
        api.call('POST', where, { body: { input: { x: [[1, 2]] }, model: 'pair' }, headers }),
      ),
    ),
    { numRuns: RUNS },
  );
});

test('and then it still works', async () => {
  expect((await api.call('GET', '/v2/health/ready')).status).toBe(200);
  const body = { input: { x: [[1, 2]] } };
  expect((await api.call('POST', '/v1/models/pair/predictions', { body })).status).toBe(202);
});

/** Percent escapes, also of what is not UTF-16 in order. */
function encodeURIComponentLoosely(text: string): string {
  return [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
}
