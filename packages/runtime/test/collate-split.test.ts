import {
  DATATYPE_TRAITS,
  DATATYPES,
  type Datatype,
  decodeTensors,
  elementCount,
  encodeBytesElements,
  encodeTensors,
  type ModelSignature,
  type Tensor,
} from '@quern/contract';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { collate, EntryDecoder, sharesLane } from '../src/session/collate.ts';
import type { DecodedEntry } from '../src/session/decoded-entry.ts';
import type { LoadedSession } from '../src/session/load-session.ts';
import { splitOutputs } from '../src/session/split.ts';
import { fp32 } from './harness/runners.ts';
import { openSession } from './harness/sessions.ts';

function signatureOf(datatype: Datatype, names = ['x']): ModelSignature {
  const spec = (name: string) => ({ name, datatype, shape: [-1, -1] });
  return { inputs: names.map(spec), outputs: [spec('y')], batchable: true, maxRows: 1000 };
}

/** Any text that ONNX Runtime can carry: no NUL, no lone surrogates. */
const text = fc.string({ unit: 'grapheme', maxLength: 8 }).filter((s) => !s.includes('\0'));

/** A tensor with any bits whatever, NaN payloads and negative zeros included. */
function tensorOf(
  name: string,
  datatype: Datatype,
  shape: readonly number[],
): fc.Arbitrary<Tensor> {
  const count = elementCount(shape);
  const length = (each: number) => ({ minLength: count * each, maxLength: count * each });
  const data =
    datatype === 'BYTES'
      ? fc.array(text, length(1)).map(encodeBytesElements)
      : fc
          .uint8Array({
            ...length(DATATYPE_TRAITS[datatype].bytes),
            max: datatype === 'BOOL' ? 1 : 255,
          })
          // Off an aligned address, as a slice of a larger message is.
          .map((bytes) => new Uint8Array([0, ...bytes]).subarray(1));
  return data.map((bytes) => ({ name, datatype, shape, data: bytes }));
}

/** The tensors of several predictions of one lane, and the width they share. */
function lane(datatype: Datatype): fc.Arbitrary<Tensor[]> {
  const rows = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 6 });
  return fc
    .tuple(rows, fc.integer({ min: 0, max: 5 }))
    .chain(([counts, width]) =>
      fc.tuple(...counts.map((count) => tensorOf('x', datatype, [count, width]))),
    );
}

function decodeAll(tensors: readonly Tensor[], signature: ModelSignature): DecodedEntry[] {
  const decoder = new EntryDecoder(signature);
  return tensors.map((tensor) => decoder.decode(encodeTensors([tensor]), tensor.shape[0] ?? 0));
}

async function runTogether(
  entries: readonly DecodedEntry[],
  { run, loaded: { signature } }: LoadedSession,
): Promise<Tensor[]> {
  const outputs = await run(collate(entries, signature), ['y'], 1);
  return splitOutputs(outputs, entries, signature).flatMap((message) => decodeTensors(message));
}

describe.each(DATATYPES)('rows of %s', (datatype) => {
  test('come back from a batch as they went in, each to its own entry', async () => {
    const session = await openSession(`identity-${datatype.toLowerCase()}`);
    await fc.assert(
      fc.asyncProperty(lane(datatype), async (tensors) => {
        const entries = decodeAll(tensors, session.loaded.signature);
        const answers = await runTogether(entries, session);
        expect(answers).toEqual(
          tensors.map((tensor) => ({ ...tensor, name: 'y', data: new Uint8Array(tensor.data) })),
        );
      }),
      { numRuns: 40 },
    );
  });
});

test('a row gets the same answer in a batch as alone', async () => {
  const session = await openSession('conv', { maxBatchSize: 32 });
  const { signature } = session.loaded;
  const pixels = fc.array(fc.double({ min: -4, max: 4, noNaN: true }), {
    minLength: 192,
    maxLength: 192,
  });
  await fc.assert(
    fc.asyncProperty(fc.array(pixels, { minLength: 2, maxLength: 8 }), async (images) => {
      const entries = decodeAll(
        images.map((image) => fp32('x', [1, 3, 8, 8], image)),
        signature,
      );
      const together = await runTogether(entries, session);
      for (const [index, entry] of entries.entries()) {
        const [alone] = await runTogether([entry], session);
        closeTo(together[index], alone);
      }
    }),
    { numRuns: 15 },
  );
});

function closeTo(found: Tensor | undefined, expected: Tensor | undefined): void {
  const [a, b] = [found, expected].map((tensor) => [
    ...new Float32Array((tensor?.data ?? new Uint8Array()).slice().buffer),
  ]);
  expect(a).toHaveLength(5);
  for (const [index, value] of (a ?? []).entries()) {
    expect(value).toBeCloseTo(b?.[index] ?? Number.NaN, 4);
  }
}

describe('an entry that does not fit is refused alone', () => {
  const signature = signatureOf('FP32');
  const decode =
    (tensors: Tensor[], rows = 2) =>
    () =>
      new EntryDecoder(signature).decode(encodeTensors(tensors), rows);
  const zeros = (name: string, shape: number[]) =>
    fp32(name, shape, new Array<number>(elementCount(shape)).fill(0));

  test.each([
    ['a missing input', decode([zeros('z', [2, 1])]), 'input.x: missing'],
    ['a wrong rank', decode([zeros('x', [2])]), 'input.x: got rank 1'],
    ['wrong rows', decode([zeros('x', [3, 1])]), 'input.x: got [3,1], expected 2 rows'],
    [
      'a wrong datatype',
      decode([{ name: 'x', datatype: 'INT32', shape: [2, 1], data: new Uint8Array(8) }]),
      'input.x: got INT32, expected FP32',
    ],
    [
      'no message at all',
      () => new EntryDecoder(signature).decode(new Uint8Array(2), 1),
      'got 2 bytes',
    ],
  ])('%s', (_, attempt, message) => {
    expect(attempt).toThrow(message);
  });

  test.each([
    ['a NUL, where ONNX Runtime would cut the text off', 'a\0b', 'input.x[1]: holds a NUL byte'],
    ['bytes that are no UTF-8', new Uint8Array([0xff, 0xfe]), 'input.x[1]: is not UTF-8'],
  ])('%s', (_, element, message) => {
    const data = encodeBytesElements(['fine', element]);
    const tensor: Tensor = { name: 'x', datatype: 'BYTES', shape: [1, 2], data };
    const decoder = new EntryDecoder(signatureOf('BYTES'));
    expect(() => decoder.decode(encodeTensors([tensor]), 1)).toThrow(message);
  });

  test('after one of the same layout that fits, with other rows than it was counted with', () => {
    const decoder = new EntryDecoder(signature);
    const message = encodeTensors([zeros('x', [2, 1])]);
    decoder.decode(message, 2);
    expect(() => decoder.decode(message, 3)).toThrow('expected 3 rows');
  });
});

test('inputs are found by name, in whatever order and company they come', () => {
  const signature = signatureOf('FP32', ['a', 'b']);
  const decoder = new EntryDecoder(signature);
  const messages = [1, 2].map((value) =>
    encodeTensors([
      fp32('unused', [1, 1], [9]),
      fp32('b', [1, 1], [value * 10]),
      fp32('a', [1, 1], [value]),
    ]),
  );
  const [a, b] = collate(
    messages.map((message) => decoder.decode(message, 1)),
    signature,
  );
  expect(a).toMatchObject({ name: 'a', shape: [2, 1] });
  expect(a && 'bytes' in a && [...new Float32Array(a.bytes.slice().buffer)]).toEqual([1, 2]);
  expect(b && 'bytes' in b && [...new Float32Array(b.bytes.slice().buffer)]).toEqual([10, 20]);
});

test('entries share a lane when only their rows differ', () => {
  const [one, two, wide] = decodeAll(
    [fp32('x', [1, 2], [1, 2]), fp32('x', [2, 2], [1, 2, 3, 4]), fp32('x', [1, 1], [1])],
    signatureOf('FP32'),
  );
  if (one === undefined || two === undefined || wide === undefined) throw new Error('not decoded');
  expect(sharesLane(one, two, signatureOf('FP32'))).toBe(true);
  expect(sharesLane(one, wide, signatureOf('FP32'))).toBe(false);
});

test('outputs without one row per input row are refused by name', () => {
  const bytes = new Uint8Array(8);
  const outputs = [{ name: 'y', datatype: 'FP32' as const, shape: [1, 2], bytes }];
  expect(() => splitOutputs(outputs, [{ rows: 1 }, { rows: 1 }], signatureOf('FP32'))).toThrow(
    'output y has the shape [1,2] for 2 rows',
  );
});

test('each entry gets the outputs that it asked for', () => {
  const output = (name: string) => ({
    name,
    datatype: 'UINT8' as const,
    shape: [3, 1],
    bytes: new Uint8Array([1, 2, 3]),
  });
  const messages = splitOutputs(
    [output('y'), output('z')],
    [{ rows: 1, outputs: ['z'] }, { rows: 1 }, { rows: 1, outputs: ['y'] }],
    signatureOf('UINT8'),
  );
  const found = messages.map((message) =>
    decodeTensors(message).map(({ name, data }) => [name, ...data]),
  );
  expect(found).toEqual([
    [['z', 1]],
    [
      ['y', 2],
      ['z', 2],
    ],
    [['y', 3]],
  ]);
});
