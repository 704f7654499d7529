import { encodeTensors, type ModelSignature, QuernError } from '@quern/contract';
import { describe, expect, test } from 'vitest';
import type { PayloadStore, RunnerBatch } from '../src/index.ts';
import { finishBatch } from '../src/runner/finish-batch.ts';
import { prepareBatch } from '../src/runner/prepare-batch.ts';
import { entry, fp32 } from './harness/runners.ts';

const SIGNATURE: ModelSignature = {
  inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, -1] }],
  outputs: [
    { name: 'y', datatype: 'FP32', shape: [-1, -1] },
    { name: 'z', datatype: 'FP32', shape: [-1, -1] },
  ],
  batchable: true,
  maxRows: 8,
};

/** A store in memory; `readings` has the keys of each call. */
function memoryStore(contents: Record<string, Uint8Array> = {}) {
  const readings: string[][] = [];
  const store: PayloadStore = {
    read: async (keys) => {
      readings.push(keys);
      return keys.map((key) => contents[key] ?? null);
    },
    write: async (items) => {
      for (const { key, bytes } of items) contents[key] = bytes;
      return items.map(({ key }) => key);
    },
    close: async () => {},
  };
  return { store, readings, contents };
}

function brokenStore(error: Error): PayloadStore {
  const fail = () => Promise.reject(error);
  return { read: fail, write: fail, close: async () => {} };
}

const row = (id: string, width: number) =>
  entry(id, 1, [fp32('x', [1, width], new Array<number>(width).fill(1))]);

describe('preparing a batch', () => {
  test('reads all its payloads at once and keeps each with its entry', async () => {
    const message = (value: number) => encodeTensors([fp32('x', [1, 1], [value])]);
    const { store, readings } = memoryStore({ k1: message(1), k3: message(3) });
    const keyed = (id: string, key: string) => ({ id, rows: 1, input: { key }, resultKey: id });
    const batch: RunnerBatch = {
      batchId: 'b',
      entries: [
        keyed('1', 'k1'),
        { ...keyed('2', ''), input: { inline: message(2) } },
        keyed('lost', 'k2'),
        keyed('3', 'k3'),
      ],
    };
    const prepared = await prepareBatch(batch, SIGNATURE, store);
    expect(readings).toEqual([['k1', 'k2', 'k3']]);
    expect(prepared.running.map(({ id }) => id)).toEqual(['1', '2', '3']);
    expect(prepared.failed.get('lost')).toMatchObject({ code: 'PAYLOAD_MISSING' });
    const [x] = prepared.inputs;
    expect(x && 'bytes' in x && [...new Float32Array(x.bytes.buffer)]).toEqual([1, 2, 3]);
  });

  test('asks the model only for the outputs that somebody wants', async () => {
    const { store } = memoryStore();
    const outputsFor = async (...wanted: (readonly string[])[]) => {
      const entries = wanted.map((outputs, index) => ({ ...row(`${index}`, 1), outputs }));
      return (await prepareBatch({ batchId: 'b', entries }, SIGNATURE, store)).outputs;
    };
    expect(await outputsFor(['z'])).toEqual(['z']);
    expect(await outputsFor(['z'], ['y'])).toEqual(['y', 'z']);
    expect(await outputsFor(['z'], [])).toEqual(['y', 'z']);
  });

  test('keeps apart what may not share a run', async () => {
    const { store } = memoryStore();
    const lanes = { batchId: 'b', entries: [row('1', 2), row('2', 3), row('3', 2)] };
    const prepared = await prepareBatch(lanes, SIGNATURE, store);
    expect(prepared.running.map(({ id }) => id)).toEqual(['1', '3']);
    expect(prepared.failed.get('2')).toMatchObject({ code: 'INTERNAL' });
    const single = { ...SIGNATURE, batchable: false };
    const pairOfThem = { batchId: 'b', entries: [row('1', 2), row('2', 2)] };
    const alone = await prepareBatch(pairOfThem, single, store);
    expect(alone.running.map(({ id }) => id)).toEqual(['1']);
    expect(alone.failed.get('2')).toMatchObject({ code: 'INTERNAL' });
  });

  test('fails as a whole when the store does', async () => {
    const error = new QuernError('REDIS_UNAVAILABLE', 'gone');
    const entries = [{ id: '1', rows: 1, input: { key: 'k' }, resultKey: 'r' }];
    const preparing = prepareBatch({ batchId: 'b', entries }, SIGNATURE, brokenStore(error));
    await expect(preparing).rejects.toBe(error);
  });
});

describe('finishing a batch', () => {
  const entries = [row('small', 1), { ...entry('large', 3, [fp32('x', [3, 1], [1, 2, 3])]) }];
  const output = {
    name: 'y',
    datatype: 'FP32' as const,
    shape: [4, 1],
    bytes: new Uint8Array(Float32Array.from([1, 2, 3, 4]).buffer),
  };
  const sizes = [1, 3].map(
    (rows) => encodeTensors([fp32('y', [rows, 1], new Array<number>(rows).fill(0))]).byteLength,
  );
  const batch: RunnerBatch = { batchId: 'b', entries, inlineResultBytes: sizes[0] ?? 0 };

  async function finish(store: PayloadStore) {
    const prepared = await prepareBatch(batch, SIGNATURE, memoryStore().store);
    return (await finishBatch(batch, prepared, [output], SIGNATURE, store)).outcomes;
  }

  test('stores what is larger than the limit and returns the rest', async () => {
    const { store, contents } = memoryStore();
    const [small, large] = await finish(store);
    expect(small).toMatchObject({ ok: true, result: { inline: { byteLength: sizes[0] } } });
    expect(large).toEqual({
      id: 'large',
      ok: true,
      result: { key: 'result-large', bytes: sizes[1] },
    });
    expect(Object.keys(contents)).toEqual(['result-large']);
  });

  test('fails only what could not be stored, with the reason', async () => {
    const outcomes = await finish(brokenStore(new QuernError('REDIS_UNAVAILABLE', 'gone')));
    expect(outcomes).toMatchObject([
      { id: 'small', ok: true },
      { id: 'large', ok: false, error: { code: 'REDIS_UNAVAILABLE', retryable: true } },
    ]);
  });
});
