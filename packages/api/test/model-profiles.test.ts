import { type ProfileRecord, ProfileStore } from '@quern/queue';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { RunningApi } from './running-api.ts';

let api: RunningApi;
beforeAll(async () => {
  api = await RunningApi.start();
});
afterAll(() => api.stop());

function record(version: number, lanes = 1): ProfileRecord {
  const samples = [
    { rows: 1, timeMs: 2, runs: 3 },
    { rows: 8, timeMs: 4, runs: 40 },
  ];
  return {
    format: 1,
    version,
    fingerprint: 'f',
    executionProvider: 'cpu',
    device: 'test-cpu.1t',
    maxBatchSize: 16,
    savedAtMs: Date.now(),
    seed: [{ rows: 1, timeMs: 2.5, runs: 0 }],
    lanes: Object.fromEntries(
      Array.from({ length: lanes }, (_, i) => [`${i + 2}`, { samples, knee: 8 }]),
    ),
  };
}

beforeEach(async () => {
  const store = new ProfileStore(api.redis);
  await store.reset('pair', [1, 2]);
  const { resets } = await store.load('pair');
  await store.save('pair', record(1, 12), resets.get(1));
  await store.save('pair', record(2), resets.get(2));
});

interface Profiled {
  readonly versions: readonly { readonly profiles?: readonly { readonly lanes: unknown[] }[] }[];
}

async function profiles(): Promise<Profiled['versions'][number]['profiles'][]> {
  const { json } = await api.call('GET', '/v1/models/pair?profile=true');
  return (json as Profiled).versions.map((version) => version.profiles);
}

test('shows the run times of each version to those who ask for them', async () => {
  const [newest, oldest] = await profiles();
  expect(newest).toEqual([
    {
      execution_provider: 'cpu',
      device: 'test-cpu.1t',
      max_batch_size: 16,
      saved_at: expect.stringMatching(/^\d{4}-.*Z$/),
      warm_up: { knee: null, sizes: [{ rows: 1, time_ms: 2.5, rows_per_second: 400, runs: 0 }] },
      lanes: [
        {
          lane: '2',
          knee: 8,
          sizes: [
            { rows: 1, time_ms: 2, rows_per_second: 500, runs: 3 },
            { rows: 8, time_ms: 4, rows_per_second: 2000, runs: 40 },
          ],
        },
      ],
    },
  ]);
  // Of many lanes only some, so that the answer stays small.
  expect(oldest?.[0]?.lanes).toHaveLength(8);
  const { json } = await api.call('GET', '/v1/models/pair');
  expect((json as Profiled).versions[0]).not.toHaveProperty('profiles');
});

test('forgets one version, or all', async () => {
  const one = await api.call('DELETE', '/v1/models/pair/versions/1/profile');
  expect(one).toMatchObject({
    status: 200,
    json: { model: 'pair', versions: ['1'], forgotten: 1 },
  });
  expect((await profiles()).map((found) => found?.length)).toEqual([1, 0]);
  const all = await api.call('DELETE', '/v1/models/pair/profile');
  expect(all).toMatchObject({ status: 200, json: { versions: ['2', '1'], forgotten: 1 } });
  expect(await profiles()).toEqual([[], []]);
});

test.each([
  ['DELETE', '/v1/models/nope/profile', 404, 'MODEL_NOT_FOUND'],
  ['DELETE', '/v1/models/pair/versions/9/profile', 404, 'VERSION_NOT_FOUND'],
  ['GET', '/v1/models/pair?profile=perhaps', 400, 'INVALID_REQUEST'],
])('refuses %s %s', async (method, path, status, code) => {
  expect(await api.call(method, path)).toMatchObject({ status, json: { error: { code } } });
});
