import { eventually, TestRedis } from '@quern/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  connectRedis,
  type ProfileRecord,
  type ProfileReset,
  ProfileResetListener,
  ProfileStore,
  profileRecordSchema,
} from '../src/index.ts';
import { Workbench } from './workbench.ts';

const KEY = 'quern:{m}.profiles';

let server: TestRedis;
let bench: Workbench;
let store: ProfileStore;
beforeAll(async () => {
  server = await TestRedis.start();
});
afterAll(() => server.stop());
beforeEach(async () => {
  bench = await Workbench.open(server.url);
  store = new ProfileStore(bench.redis);
});
afterEach(async () => {
  await bench.redis.flushall();
  await bench.close();
});

type Lanes = ProfileRecord['lanes'];

function record(fields: Partial<ProfileRecord> = {}): ProfileRecord {
  return {
    format: 1,
    version: 1,
    fingerprint: 'file',
    executionProvider: 'cpu',
    device: 'cpu.1t',
    maxBatchSize: 32,
    savedAtMs: Date.now(),
    seed: [{ rows: 1, timeMs: 1, runs: 0 }],
    lanes: {},
    ...fields,
  };
}

function lane(timeMs: number, runs = 1): Lanes[string] {
  return { samples: [{ rows: 1, timeMs, runs }] };
}

async function lanesStored(): Promise<Lanes | undefined> {
  return (await store.load('m')).records[0]?.lanes;
}

describe('what is saved', () => {
  test('is read again, by version, provider and device', async () => {
    const records = [record(), record({ version: 2 }), record({ device: 'cpu.2t' })];
    for (const item of records) {
      expect(await store.save('m', item, undefined)).toEqual({ saved: true });
    }
    const { records: loaded } = await store.load('m');
    expect(loaded).toHaveLength(3);
    expect(loaded).toEqual(expect.arrayContaining(records));
    expect((await store.load('other')).records).toEqual([]);
  });

  test('ends by itself after weeks', async () => {
    await store.save('m', record(), undefined);
    const ttlMs = await bench.redis.pttl(KEY);
    expect(ttlMs / 86_400_000).toBeGreaterThan(27);
    expect(ttlMs / 86_400_000).toBeLessThanOrEqual(28);
  });

  test('is merged: the last writer wins a lane, and lanes that it has not seen stay', async () => {
    await store.save('m', record({ lanes: { a: lane(1), b: lane(2) } }), undefined);
    await store.save('m', record({ lanes: { b: lane(3), c: lane(4) } }), undefined);
    expect(await lanesStored()).toEqual({ a: lane(1), b: lane(3), c: lane(4) });
  });

  test('is merged whoever saves at the same time', async () => {
    const names = ['a', 'b', 'c', 'd'];
    const saved = await Promise.all(
      names.map((name) => store.save('m', record({ lanes: { [name]: lane(1) } }), undefined)),
    );
    expect(saved).toEqual(names.map(() => ({ saved: true })));
    expect(Object.keys((await lanesStored()) ?? {}).sort()).toEqual(names);
  });

  test('takes the place of what was measured with another file', async () => {
    await store.save('m', record({ lanes: { a: lane(1) } }), undefined);
    await store.save('m', record({ fingerprint: 'new', lanes: { b: lane(2) } }), undefined);
    expect(await lanesStored()).toEqual({ b: lane(2) });
  });

  test('is bounded: the lanes with the most runs stay, and the text is small', async () => {
    const samples = Array.from({ length: 80 }, (_, i) => ({
      rows: 1.23456789 * (i + 1),
      timeMs: Math.PI * (i + 1),
      runs: 1_000_000,
    }));
    const many = Object.fromEntries(
      Array.from({ length: 60 }, (_, i) => [
        `${i}-${'x'.repeat(150)}`,
        { samples: samples.map((sample) => ({ ...sample, runs: sample.runs + i })), knee: 8 },
      ]),
    );
    await store.save('m', record({ lanes: { ...many, ['y'.repeat(500)]: lane(1) } }), undefined);
    const [text = ''] = await bench.redis.hvals(KEY);
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(65_536);
    const kept = Object.keys(profileRecordSchema.parse(JSON.parse(text)).lanes);
    expect(kept[0]).toMatch(/^59-/);
    expect(kept.length).toBeGreaterThan(4);
    expect(kept.length).toBeLessThanOrEqual(16);
  });
});

describe('what cannot be used', () => {
  test('is passed over and taken away: another format, other text, too old, too many', async () => {
    await bench.redis.hset(KEY, { '1|cpu|x': '{"format":2}', '1|cpu|y': 'no JSON' });
    const old = record({ device: 'old', savedAtMs: Date.now() - 29 * 86_400_000 });
    await store.save('m', old, undefined);
    for (let i = 0; i < 40; i++) {
      await store.save('m', record({ device: `d${i}`, savedAtMs: Date.now() - 40 + i }), undefined);
    }
    const { records } = await store.load('m');
    expect(records).toHaveLength(32);
    expect(records[0]?.device).toBe('d39');
    await store.prune('m');
    expect(await bench.redis.hlen(KEY)).toBe(32);
    expect((await store.load('m')).records).toEqual(records);
  });
});

describe('a reset', () => {
  test('forgets the versions named and no others', async () => {
    for (const version of [1, 2, 11]) await store.save('m', record({ version }), undefined);
    expect(await store.reset('m', [1])).toBe(1);
    const versions = (await store.load('m')).records.map(({ version }) => version);
    expect(versions.sort()).toEqual([11, 2]);
    expect(await store.reset('m', [2, 11, 12])).toBe(2);
  });

  test('refuses what a worker saves that has not heard of it, and tells it', async () => {
    await store.save('m', record({ lanes: { a: lane(1) } }), undefined);
    await store.reset('m', [1]);
    const answer = await store.save('m', record({ lanes: { a: lane(1) } }), undefined);
    const mark = (await store.load('m')).resets.get(1);
    expect(answer).toEqual({ reset: mark });
    expect((await store.load('m')).records).toEqual([]);
    expect(await store.save('m', record({ lanes: { b: lane(2) } }), mark)).toEqual({ saved: true });
    expect(await lanesStored()).toEqual({ b: lane(2) });
  });

  test('is announced to the workers of the model', async () => {
    const subscriber = await connectRedis({
      url: server.url,
      role: 'subscriber',
      name: 'test-sub',
      waitMs: 5000,
      onError: () => {},
    });
    bench.defer(() => subscriber.disconnect());
    const listener = new ProfileResetListener(subscriber);
    bench.defer(() => listener.close());
    const heard: ProfileReset[] = [];
    await listener.listen('m', (reset) => heard.push(reset));
    await bench.redis.publish('quern:{m}.profile-reset', 'not ours');
    await store.reset('other', [1]);
    await store.reset('m', [1, 2]);
    await eventually(() => expect(heard).toHaveLength(1));
    const mark = (await store.load('m')).resets.get(2);
    expect(heard[0]).toEqual({ mark, versions: [1, 2] });
  });
});
