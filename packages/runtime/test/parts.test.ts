import {
  DATATYPE_TRAITS,
  DATATYPES,
  decodeTensors,
  elementCount,
  encodeBytesElements,
  encodeTensors,
  type ModelSignature,
  splitBytesElements,
  type Tensor,
} from '@quern/contract';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { PayloadStore, RunnerEntry, RunnerPayload, StoredResult } from '../src/index.ts';
import { assembleParts, joinParts } from '../src/runner/assemble-parts.ts';
import { finishBatch } from '../src/runner/finish-batch.ts';
import { PartInputs } from '../src/runner/part-inputs.ts';
import { prepareBatch } from '../src/runner/prepare-batch.ts';
import { sliceEntry } from '../src/runner/row-range.ts';
import { fp32 } from './harness/runners.ts';

/** A store in memory that notes what it was asked for. */
function memoryStore(contents: Record<string, Uint8Array> = {}) {
  const readings: string[][] = [];
  const written: StoredResult[] = [];
  const store: PayloadStore = {
    read: async (keys) => {
      readings.push(keys);
      return keys.map((key) => contents[key] ?? null);
    },
    write: async (items) => {
      written.push(...items);
      for (const { key, bytes } of items) contents[key] = bytes;
      return items.map(({ key }) => key);
    },
    close: async () => {},
  };
  return { store, readings, written, contents };
}

function tensorOf(name: string, datatype: Tensor['datatype'], shape: readonly number[]): Tensor {
  const count = elementCount(shape);
  const data =
    datatype === 'BYTES'
      ? encodeBytesElements(Array.from({ length: count }, (_, i) => 'é'.repeat(i % 5) + i))
      : Uint8Array.from({ length: count * DATATYPE_TRAITS[datatype].bytes }, (_, i) => i % 2);
  return { name, datatype, shape, data };
}

/** Tensors of the same rows, their signature (what goes in comes out), and sizes of parts. */
const prediction = fc
  .record({
    rows: fc.integer({ min: 1, max: 20 }),
    kinds: fc.array(
      fc.record({
        datatype: fc.constantFrom(...DATATYPES),
        rest: fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 2 }),
      }),
      { minLength: 1, maxLength: 3 },
    ),
    sizes: fc.array(fc.integer({ min: 1, max: 7 })),
  })
  .map(({ rows, kinds, sizes }) => {
    const tensors = kinds.map(({ datatype, rest }, i) =>
      tensorOf(`t${i}`, datatype, [rows, ...rest]),
    );
    const specs = tensors.map(({ name, datatype, shape }) => ({
      name,
      datatype,
      shape: shape.map(() => -1),
    }));
    const signature: ModelSignature = {
      inputs: specs,
      outputs: specs,
      batchable: true,
      maxRows: rows,
    };
    return { rows, tensors, signature, cuts: cutsOf(rows, sizes) };
  });

function cutsOf(rows: number, sizes: readonly number[]): { first: number; count: number }[] {
  const cuts: { first: number; count: number }[] = [];
  let first = 0;
  for (let i = 0; first < rows; i++) {
    const count = Math.min(rows - first, sizes[i] ?? rows);
    cuts.push({ first, count });
    first += count;
  }
  return cuts;
}

/** Runs the parts of a prediction, several to a batch, on a model that gives back what it gets. */
async function runParts(
  {
    rows,
    cuts,
    signature,
  }: { rows: number; cuts: ReturnType<typeof cutsOf>; signature: ModelSignature },
  input: RunnerPayload,
  payloads: PayloadStore,
  partsPerBatch: number,
): Promise<RunnerPayload[]> {
  const partInputs = new PartInputs();
  const results: RunnerPayload[] = [];
  for (let at = 0; at < cuts.length; at += partsPerBatch) {
    const entries = cuts.slice(at, at + partsPerBatch).map(
      ({ first, count }): RunnerEntry => ({
        id: `p#${first}`,
        rows: count,
        rowRange: { first, of: rows },
        input,
        resultKey: `part-${first}`,
      }),
    );
    const batch = { batchId: 'b', entries, inlineResultBytes: 200 };
    const prepared = await prepareBatch(batch, signature, payloads, partInputs);
    expect([...prepared.failed.values()]).toEqual([]);
    const { outcomes } = await finishBatch(batch, prepared, prepared.inputs, signature, payloads);
    for (const outcome of outcomes) {
      if (!outcome.ok) throw new Error(outcome.error.message);
      results.push(outcome.result);
    }
  }
  partInputs.clear();
  return results;
}

describe('a prediction that runs in parts', () => {
  test('has the outputs of the whole, whatever the parts, datatypes and batches', async () => {
    await fc.assert(
      fc.asyncProperty(
        prediction,
        fc.boolean(),
        fc.integer({ min: 1, max: 3 }),
        async (whole, isStored, partsPerBatch) => {
          const message = encodeTensors(whole.tensors);
          const { store, readings, written, contents } = memoryStore({ input: message });
          const input = isStored ? { key: 'input' } : { inline: message };
          const parts = await runParts(whole, input, store, partsPerBatch);
          expect(readings.flat()).toEqual(isStored ? ['input'] : []);
          expect(written.every(({ temporary }) => temporary)).toBe(true);

          const entry = { id: 'p', rows: whole.rows, input: { parts }, resultKey: 'whole' };
          const assembly = { batchId: 'a', entries: [entry], inlineResultBytes: 0 };
          const { outcomes } = await assembleParts(assembly, entry, whole.signature, store);
          expect(outcomes).toEqual([
            { id: 'p', ok: true, result: { key: 'whole', bytes: contents['whole']?.byteLength } },
          ]);
          expect(written.at(-1)).toMatchObject({ key: 'whole', temporary: false });
          expect(decodeTensors(contents['whole'] ?? new Uint8Array())).toEqual(whole.tensors);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('shares inputs without rows, and is cut along each other one’s own axis', () => {
    const state = tensorOf('state', 'UINT8', [2, 5, 3]);
    const words = tensorOf('words', 'BYTES', [2, 5]);
    const rate = tensorOf('rate', 'INT64', []);
    const spec = (tensor: Tensor, batchAxis: number | null) => ({
      name: tensor.name,
      datatype: tensor.datatype,
      shape: tensor.shape.map(() => -1),
      batchAxis,
    });
    const signature: ModelSignature = {
      inputs: [spec(state, 1), spec(words, 1), spec(rate, null)],
      outputs: [spec(state, 1), spec(rate, null)],
      batchable: true,
      maxRows: 5,
    };
    const strings = splitBytesElements(words.data).map((bytes) => Buffer.from(bytes).toString());
    const whole = { rows: 5, tensors: [state, { ...words, strings }, rate] };
    const parts = [sliceEntry(whole, signature, 0, 2), sliceEntry(whole, signature, 2, 3)];
    expect(parts.map(({ tensors }) => tensors[1]?.strings)).toEqual([
      [...strings.slice(0, 2), ...strings.slice(5, 7)],
      [...strings.slice(2, 5), ...strings.slice(7, 10)],
    ]);
    const outputs = parts.map(({ tensors: [first, , last] }) =>
      [first, last].filter((tensor) => tensor !== undefined),
    );
    expect(joinParts(outputs, signature)).toEqual([state, rate]);
  });

  test('cannot be put together if its parts have other shapes, or one is gone', async () => {
    const signature: ModelSignature = {
      inputs: [],
      outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, -1] }],
      batchable: true,
      maxRows: 4,
    };
    const part = (width: number): RunnerPayload => ({
      inline: encodeTensors([fp32('y', [1, width], new Array<number>(width).fill(0))]),
    });
    const assemble = async (parts: RunnerPayload[]) => {
      const entry = { id: 'p', rows: 2, input: { parts }, resultKey: 'whole' };
      const batch = { batchId: 'a', entries: [entry] };
      return (await assembleParts(batch, entry, signature, memoryStore().store)).outcomes;
    };
    expect(await assemble([part(2), part(3)])).toMatchObject([
      {
        ok: false,
        error: {
          code: 'INFERENCE_FAILED',
          message: expect.stringContaining('[1,3] for some rows'),
        },
      },
    ]);
    expect(await assemble([part(2), { key: 'part-1' }])).toMatchObject([
      { ok: false, error: { code: 'PAYLOAD_MISSING', retryable: true } },
    ]);
    expect(await assemble([part(2), part(2)])).toMatchObject([{ ok: true }]);
  });
});

describe('PartInputs', () => {
  const large = (bytes: number) => new Uint8Array(bytes);

  test('reads an input once, also for batches that are prepared at the same time', async () => {
    const { store, readings } = memoryStore({ a: large(10) });
    const inputs = new PartInputs();
    const [first, second] = await Promise.all([inputs.read('a', store), inputs.read('a', store)]);
    expect(first?.message).toBe(second?.message);
    expect(await inputs.read('a', store)).toBe(first);
    expect(readings).toEqual([['a']]);
    expect(await inputs.read('gone', store)).toBeUndefined();
    expect(await inputs.read('gone', store)).toBeUndefined();
    inputs.clear();
    expect(inputs.bytes).toBe(0);
  });

  test('forgets what was used longest ago when there is more than it may keep', async () => {
    const { store, readings } = memoryStore({
      a: large(4),
      b: large(4),
      c: large(4),
      d: large(99),
    });
    const inputs = new PartInputs({ maxBytes: 10 });
    for (const key of ['a', 'b', 'a', 'c', 'a', 'b']) await inputs.read(key, store);
    expect(readings.flat()).toEqual(['a', 'b', 'c', 'b']);
    expect(inputs.bytes).toBeLessThanOrEqual(10);
    await inputs.read('d', store);
    await inputs.read('d', store);
    expect(readings.flat()).toEqual(['a', 'b', 'c', 'b', 'd']);
    expect(inputs.bytes).toBe(99);
    inputs.clear();
  });
});
