import { StatisticsStore, StatisticsTally } from '@quern/queue';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { RunningApi } from './running-api.ts';

let api: RunningApi;
beforeAll(async () => {
  api = await RunningApi.start();
  const tally = new StatisticsTally(() => {});
  const times = { meanQueueMs: 2, collateMs: 1, inferenceMs: 10, splitMs: 1, storeMs: 1 };
  tally.ran({ rows: 3, predictions: 2, ...times }, 1_700_000_000_000);
  tally.ended('success', 15);
  tally.ended('success', 16);
  await new StatisticsStore(api.redis).add('pair', 2, tally);
});
afterAll(() => api.stop());

interface ModelStats {
  readonly name: string;
  readonly version: string;
}

async function statsOf(path: string): Promise<ModelStats[]> {
  const { status, json } = await api.call('GET', path);
  expect(status).toBe(200);
  return (json as { model_stats: ModelStats[] }).model_stats;
}

test('answers as the extension says', async () => {
  const none = { count: 0, ns: 0 };
  expect(await statsOf('/v2/models/pair/versions/2/stats')).toEqual([
    {
      name: 'pair',
      version: '2',
      last_inference: 1_700_000_000_000,
      inference_count: 3,
      execution_count: 1,
      inference_stats: {
        success: { count: 2, ns: 31_000_000 },
        fail: none,
        queue: { count: 2, ns: 4_000_000 },
        compute_input: { count: 2, ns: 2_000_000 },
        compute_infer: { count: 2, ns: 20_000_000 },
        compute_output: { count: 2, ns: 4_000_000 },
        cache_hit: none,
        cache_miss: none,
      },
      response_stats: {},
      batch_stats: [
        {
          batch_size: 3,
          compute_input: { count: 1, ns: 1_000_000 },
          compute_infer: { count: 1, ns: 10_000_000 },
          compute_output: { count: 1, ns: 2_000_000 },
        },
      ],
      memory_usage: [],
    },
  ]);
});

test('tells of one version, of all of a model, and of all models', async () => {
  const names = (stats: ModelStats[]) => stats.map(({ name, version }) => `${name}:${version}`);
  expect(names(await statsOf('/v2/models/pair/stats'))).toEqual(['pair:2', 'pair:1']);
  expect(names(await statsOf('/v2/models/stats'))).toEqual([
    'broken:1',
    'exact:1',
    'pair:2',
    'pair:1',
    'wide:1',
  ]);
});

test.each([
  ['/v2/models/nope/stats', /^MODEL_NOT_FOUND/],
  ['/v2/models/pair/versions/9/stats', /^VERSION_NOT_FOUND: .*expected one of 2, 1$/],
])('does not know %s', async (path, error) => {
  expect(await api.call('GET', path)).toMatchObject({
    status: 404,
    json: { error: expect.stringMatching(error) },
  });
});
