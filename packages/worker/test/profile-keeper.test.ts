import type { ModelSignature } from '@quern/contract';
import { connectRedis, type ProfileRecord, ProfileStore } from '@quern/queue';
import type { LoadedModel, RunnerModel } from '@quern/runtime';
import { createLogger } from '@quern/service';
import { eventually, TestRedis } from '@quern/testkit';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { ProfileKeeper } from '../src/profile-keeper.ts';

const logger = createLogger({ name: 'test', level: 'fatal', pretty: false });
const MODEL: RunnerModel = {
  name: 'm',
  version: 1,
  modelPath: '/nowhere',
  executionProviders: ['cpu'],
  threads: 1,
  maxBatchSize: 8,
  maxRowsPerPrediction: 8,
  runTimeoutMs: 1000,
  warmup: { enabled: true, budgetMs: 1000 },
  inputs: {},
};
/** Batches of four run the most rows per second. */
const MEASURED = [
  { rows: 1, timeMs: 4 },
  { rows: 4, timeMs: 5 },
  { rows: 8, timeMs: 20 },
];
const LOADED: LoadedModel = {
  signature: { inputs: [], outputs: [], batchable: true, maxRows: 8 },
  executionProvider: 'cpu',
  fallbacks: [],
  warmupProfile: MEASURED,
  canControl: true,
  shapesGuessed: false,
  warnings: [],
};

let server: TestRedis;
let redis: Awaited<ReturnType<typeof connectRedis>>;
let store: ProfileStore;
const keepers: ProfileKeeper[] = [];

beforeAll(async () => {
  server = await TestRedis.start();
  redis = await connectRedis({
    url: server.url,
    role: 'worker',
    name: 'test',
    waitMs: 5000,
    onError: () => {},
  });
  store = new ProfileStore(redis);
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});
afterEach(async () => {
  await Promise.all(keepers.splice(0).map((keeper) => keeper.close()));
  await redis.flushall();
});

/** A keeper as a worker opens it now, for a version with these files. */
async function open(fingerprint = 'file'): Promise<ProfileKeeper> {
  const { records, resets } = await store.load('m');
  const keeper = new ProfileKeeper({
    store,
    model: 'm',
    version: 1,
    known: {
      fingerprint,
      reset: resets.get(1),
      records: records.filter((record) => record.fingerprint === fingerprint),
    },
    isStoreReady: () => redis.status === 'ready',
    logger,
  });
  keepers.push(keeper);
  return keeper;
}

async function stored(): Promise<ProfileRecord | undefined> {
  return (await store.load('m')).records[0];
}

test('a worker without stored run times measures them, and saves them soon by itself', async () => {
  const keeper = await open();
  expect(keeper.informed(MODEL)).toEqual(MODEL);
  keeper.begin(LOADED, MODEL);
  expect(keeper.served).toMatchObject({ source: 'measured' });
  await eventually(async () => expect(await stored()).toMatchObject({ seedKnee: 4 }), 10_000);
});

test('the next one starts with what the last one learnt, and warms up shorter', async () => {
  const first = await open();
  const learnt = first.begin(LOADED, MODEL);
  learnt.seedLane('8x8', [
    { rows: 1, timeMs: 4 },
    { rows: 8, timeMs: 6 },
  ]);
  for (let i = 0; i < 5; i++) learnt.of('8x8').observe(8, 6);
  await first.close();

  const second = await open();
  expect(second.informed(MODEL).warmup.knownSizes).toEqual({ cpu: [1, 4] });
  const profiles = second.begin({ ...LOADED, warmupProfile: [{ rows: 1, timeMs: 99 }] }, MODEL);
  expect(second.served).toEqual({ source: 'stored', device: first.served?.device });
  expect(profiles.of('8x8').bestSize(8)).toBe(8);
  // A lane that nobody has seen: what was measured at the first warm-up, not the short one.
  expect(profiles.of('new').estimateMs(1)).toBe(4);
});

test('the next one pads to the buckets that the last one learnt, from the first prediction on', async () => {
  const axis = { input: 'ids', axis: 1, value: 0, buckets: 'auto' as const };
  const signature: ModelSignature = {
    inputs: [{ name: 'ids', datatype: 'INT64', shape: [-1, -1] }],
    outputs: [],
    batchable: true,
    maxRows: 8,
    padding: { axes: [axis], cutBack: [] },
  };
  const first = await open();
  const profiles = first.begin(LOADED, MODEL);
  const buckets = first.beginBuckets(signature);
  expect(buckets.laneFor('37')).toBe('64');
  for (let i = 0; i < 200; i++) buckets.laneFor(i % 2 === 0 ? '37' : '90');
  profiles.of(buckets.laneFor('37')).observe(8, 6);
  await first.close();

  const second = await open();
  const known = second.begin(LOADED, MODEL);
  const lane = second.beginBuckets(signature).laneFor('36');
  expect(lane).toBe('37');
  expect(known.of(lane).estimateMs(8)).toBe(6);

  // One that learns nothing itself takes nothing away.
  const third = await open();
  third.begin(LOADED, MODEL).of('90').observe(8, 9);
  await third.close();
  expect(await stored()).toMatchObject({ buckets: [[37, 90]] });
});

test('a lane that was not used here does not overwrite what another worker learnt of it', async () => {
  const first = await open();
  first.begin(LOADED, MODEL).of('a').observe(1, 1);
  await first.close();
  const [one, other] = [await open(), await open()];
  one.begin(LOADED, MODEL).of('b').observe(1, 7);
  other.begin(LOADED, MODEL).of('a').observe(1, 3);
  await other.close();
  await one.close();
  const lanes = (await stored())?.lanes;
  expect(lanes?.['a']?.samples[0]).toMatchObject({ rows: 1, timeMs: 3 });
  expect(lanes?.['b']?.samples[0]).toMatchObject({ rows: 1, timeMs: 7 });
});

test('run times of another file, provider, thread count or largest batch shorten nothing', async () => {
  const first = await open();
  first.begin(LOADED, MODEL);
  await first.close();
  const changed = await open('another file');
  expect(changed.informed(MODEL).warmup.knownSizes).toBeUndefined();
  changed.begin(LOADED, MODEL);
  expect(changed.served?.source).toBe('measured');

  const same = await open();
  for (const other of [{ threads: 2 }, { maxBatchSize: 16 }, { executionProviders: ['webgpu'] }]) {
    const model = { ...MODEL, ...other } as RunnerModel;
    expect(same.informed(model).warmup.knownSizes).toBeUndefined();
  }
  same.begin(LOADED, { ...MODEL, threads: 2 });
  expect(same.served?.source).toBe('measured');
});

test('forgets when it is told to, and learns anew', async () => {
  const keeper = await open();
  const profiles = keeper.begin(LOADED, MODEL);
  await keeper.save();
  await store.reset('m', [1]);
  const mark = (await store.load('m')).resets.get(1) ?? '';
  keeper.forget({ mark, versions: [2] });
  expect(profiles.of('a').estimateMs(1)).toBe(4);
  keeper.forget({ mark, versions: [1, 2] });
  expect(keeper.served?.source).toBe('none');
  expect(profiles.of('a').estimateMs(1)).toBeUndefined();
  profiles.of('a').observe(1, 9);
  await keeper.save();
  expect(await stored()).toMatchObject({ seed: [], lanes: { a: { samples: [{ timeMs: 9 }] } } });
});

test('forgets when it saves, if the message was lost', async () => {
  const keeper = await open();
  const profiles = keeper.begin(LOADED, MODEL);
  await store.reset('m', [1]);
  await keeper.save();
  expect(await stored()).toBeUndefined();
  expect(profiles.of('a').estimateMs(1)).toBeUndefined();
});

test('nothing is learnt from guessed shapes, nor saved without a fingerprint', async () => {
  const keeper = new ProfileKeeper({
    store,
    model: 'm',
    version: 1,
    known: undefined,
    isStoreReady: () => true,
    logger,
  });
  keepers.push(keeper);
  const profiles = keeper.begin({ ...LOADED, shapesGuessed: true }, MODEL);
  expect(keeper.served?.source).toBe('none');
  profiles.of('a').observe(1, 1);
  await keeper.close();
  expect(await stored()).toBeUndefined();
});
