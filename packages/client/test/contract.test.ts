import {
  DATATYPES as CATALOGUE_DATATYPES,
  decodeTensors,
  ERROR_CATALOGUE,
  ERROR_CODES,
  encodeTensors,
  isTerminal as isTerminalStatus,
  PREDICTION_STATUSES,
  parseJson,
  parseModelInputs,
  type Tensor as StoredTensor,
  stringifyJson,
  tensorToJson,
} from '@quern/contract';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { portableBase64 } from '../src/base64.ts';
import { swapToWire } from '../src/byte-order.ts';
import { DATATYPES, type Datatype } from '../src/datatypes.ts';
import { isRetryableCode } from '../src/error-codes.ts';
import { readJson, writeJson } from '../src/exact-json.ts';
import {
  API_ERROR_CODES,
  decodeFloat16,
  encodeFloat16,
  isTerminal,
  type Tensor,
  tensor,
  toNestedArrays,
} from '../src/index.ts';
import { outputsFromWire } from '../src/tensor-from-wire.ts';
import { inputsToWire } from '../src/tensor-to-wire.ts';

// The client has no code of the contract's; here it is held to it.

test('the error codes are those of the catalogue, and say the same', () => {
  expect([...API_ERROR_CODES].sort()).toEqual([...ERROR_CODES].sort());
  for (const code of ERROR_CODES) {
    expect(isRetryableCode(code), code).toBe(ERROR_CATALOGUE[code].retryable);
  }
});

test('the datatypes and statuses are the same', () => {
  expect([...DATATYPES].sort()).toEqual([...CATALOGUE_DATATYPES].sort());
  for (const status of PREDICTION_STATUSES)
    expect(isTerminal(status)).toBe(isTerminalStatus(status));
});

/** A tensor of any datatype and shape whose elements the API accepts. */
const anyTensor: fc.Arbitrary<Tensor> = fc
  .record({
    datatype: fc.constantFrom<Datatype>(...DATATYPES),
    shape: fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 }),
  })
  .chain(({ datatype, shape }) => {
    const length = shape.reduce((product, extent) => product * extent, 1);
    const size = { minLength: length, maxLength: length };
    return elements(datatype, size).map((data) => ({ datatype, shape, data }) as Tensor);
  });

function elements(
  datatype: Datatype,
  size: { minLength: number; maxLength: number },
): fc.Arbitrary<Tensor['data']> {
  const finite = { noNaN: true, noDefaultInfinity: true };
  switch (datatype) {
    case 'BYTES':
      return fc.array(fc.string({ unit: 'grapheme' }), size);
    case 'BOOL':
      return fc.uint8Array({ ...size, max: 1 });
    case 'FP16':
      return fc
        .array(fc.double({ ...finite, min: -65_504, max: 65_504 }), size)
        .map((numbers) => encodeFloat16(numbers));
    case 'FP32':
      return fc.float32Array({ ...size, ...finite });
    case 'FP64':
      return fc.float64Array({ ...size, ...finite });
    case 'INT64':
      return fc.bigInt64Array(size);
    case 'UINT64':
      return fc.bigUint64Array(size);
    case 'INT8':
      return fc.int8Array(size);
    case 'INT16':
      return fc.int16Array(size);
    case 'INT32':
      return fc.int32Array(size);
    case 'UINT8':
      return fc.uint8Array(size);
    case 'UINT16':
      return fc.uint16Array(size);
    case 'UINT32':
      return fc.uint32Array(size);
  }
}

/** What the API makes of an input as it comes over the wire. */
function readByApi(input: unknown, { datatype, shape }: Tensor): StoredTensor {
  const spec = { name: 'x', datatype, shape: shape.map(() => -1) };
  const signature = { inputs: [spec], outputs: [], batchable: false, maxRows: 1 };
  const { tensors } = parseModelInputs(input as Record<string, unknown>, signature);
  const [read] = decodeTensors(encodeTensors(tensors));
  if (read === undefined) throw new Error('nothing was read');
  return read;
}

describe('a tensor goes to the API and back', () => {
  test('bit by bit in binary form', () => {
    fc.assert(
      fc.property(anyTensor, (sent) => {
        const stored = readByApi(parseJson(writeJson(inputsToWire({ x: sent }))), sent);
        expect(stored).toMatchObject({ datatype: sent.datatype, shape: [...sent.shape] });
        const text = stringifyJson({ x: tensorToJson(stored, 'base64').value }, false);
        expect(outputsFromWire(readJson(text) as Record<string, unknown>)).toEqual({ x: sent });
      }),
    );
  });

  test('as plain arrays beside another tensor, and back as a tensor', () => {
    fc.assert(
      fc.property(anyTensor, (sent) => {
        fc.pre(sent.data.length > 0 && sent.datatype !== 'BYTES' && sent.shape.length > 0);
        const wire = inputsToWire({ x: toNestedArrays(sent), y: new Float32Array(1) });
        const stored = readByApi({ x: parseJson(writeJson(wire['x'])) }, sent);
        const { value, holdsBigints } = tensorToJson(stored, 'flat');
        const back = outputsFromWire(
          readJson(stringifyJson({ x: value }, holdsBigints)) as Record<string, unknown>,
        );
        expect(back).toEqual({ x: withoutMinusZero(sent) });
      }),
    );
  });

  test('as plain arrays, with integers exact', () => {
    fc.assert(
      fc.property(anyTensor, (sent) => {
        fc.pre(sent.data.length > 0);
        const plain = toNestedArrays(sent);
        const stored = readByApi(parseJson(writeJson(inputsToWire({ x: plain }))), sent);
        const { value, holdsBigints } = tensorToJson(stored, 'nested');
        const back = readJson(stringifyJson({ x: value }, holdsBigints)) as { x: unknown };
        // Small 64-bit integers come back as numbers.
        expect(numbered(outputsFromWire(back)['x'])).toEqual(numbered(plain));
      }),
    );
  });

  test('with NaN and infinities in plain arrays', () => {
    const spec = { name: 'x', datatype: 'FP32' as const, shape: [-1], allowNonFinite: true };
    const signature = { inputs: [spec], outputs: [], batchable: false, maxRows: 1 };
    const x = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1];
    const text = writeJson(inputsToWire({ x }));
    const { tensors } = parseModelInputs(parseJson(text) as Record<string, unknown>, signature);
    const [stored] = tensors;
    if (stored === undefined) throw new Error('nothing was read');
    expect(outputsFromWire({ x: tensorToJson(stored, 'nested').value })).toEqual({ x });
    expect(outputsFromWire({ x: ['NaN', 'a text'] })).toEqual({ x: ['NaN', 'a text'] });
  });
});

/** JSON has no minus zero. */
function withoutMinusZero(value: Tensor): Tensor {
  if (value.datatype === 'FP16') {
    return {
      ...value,
      data: (value.data as Uint16Array).map((bits) => (bits === 0x8000 ? 0 : bits)),
    };
  }
  if (value.datatype !== 'FP32' && value.datatype !== 'FP64') return value;
  return { ...value, data: (value.data as Float32Array).map((number) => number + 0) };
}

function numbered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(numbered);
  if (typeof value === 'bigint') return String(value);
  return typeof value === 'number' ? String(value + 0) : value;
}

describe('JSON', () => {
  test('is written and read as the API does', () => {
    const value = fc.jsonValue({ maxDepth: 4 });
    const extended = fc.record({
      integers: fc.array(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n })),
      texts: fc.array(
        fc.oneof(
          fc.string(),
          fc.constantFrom('12345678901234567890', '"123456789012345678"', '\\'),
        ),
      ),
      value,
    });
    fc.assert(
      fc.property(extended, (given) => {
        expect(parseJson(writeJson(given))).toEqual(parseJson(stringifyJson(given, true)));
        const text = stringifyJson(given, true);
        expect(readJson(text)).toEqual(parseJson(text));
      }),
    );
  });

  test.each([
    '[1.2345678901234567890, 12345678901234567890]',
    '{"a":-9007199254740993}',
    '[12345678901234567890e2, 1]',
  ])('%s is read with the integers exact', (text) => {
    expect(readJson(text)).toEqual(parseJson(text));
  });
});

describe('bytes', () => {
  test('become base64 on platforms without a Buffer, too', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 20_000 }), (bytes) => {
        const text = portableBase64.encode(bytes);
        expect(text).toBe(Buffer.from(bytes).toString('base64'));
        expect(portableBase64.decode(text)).toEqual(bytes);
      }),
      { numRuns: 30 },
    );
  });

  test('are turned round on a big-endian machine', () => {
    const bytes = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]);
    expect([...swapToWire(bytes, 4, false)]).toEqual([4, 3, 2, 1, 8, 7, 6, 5]);
    expect(swapToWire(bytes, 1, false)).toBe(bytes);
    expect(swapToWire(bytes, 4, true)).toBe(bytes);
  });

  test('of FP16 are those that the machine makes of numbers', () => {
    for (let bits = 0; bits < 0x10000; bits++) {
      const [number = 0] = decodeFloat16(Uint16Array.of(bits));
      const [back = 0] = encodeFloat16([number]);
      if (Number.isNaN(number)) expect(back & 0x7fff).toBe(0x7e00);
      else if (back !== bits) expect.fail(`${bits.toString(16)} became ${back.toString(16)}`);
    }
    // Halfway between neighbours: to the even one; and just before infinity.
    expect([...encodeFloat16([2049, 2051, 2 ** -25, 65_519.9, 65_520])]).toEqual([
      0x6800, 0x6802, 0, 0x7bff, 0x7c00,
    ]);
  });
});

describe('tensor()', () => {
  test('says the datatype of typed arrays, texts and booleans, and copies none of them', () => {
    const data = new Float32Array([1, 2]);
    expect(tensor([1, 2], data).data).toBe(data);
    expect(tensor([2], ['a', 'b'])).toEqual({ datatype: 'BYTES', shape: [2], data: ['a', 'b'] });
    expect(tensor([2], [true, false]).data).toEqual(Uint8Array.of(1, 0));
    expect(tensor([1], new BigInt64Array(1)).datatype).toBe('INT64');
    expect(tensor([1], new Uint16Array(1), 'FP16').datatype).toBe('FP16');
    expect(tensor([1], Buffer.from([7])).datatype).toBe('UINT8');
    expect(tensor([2], [1.5, 2], 'FP32').data).toEqual(Float32Array.of(1.5, 2));
  });

  test('sends the part of a buffer that a view shows', () => {
    const view = new Float32Array([9, 1, 2, 9]).subarray(1, 3);
    const { x } = inputsToWire({ x: view }) as { x: { shape: number[]; b64: string } };
    expect(x.shape).toEqual([2]);
    expect(Buffer.from(x.b64, 'base64')).toEqual(Buffer.from(Float32Array.of(1, 2).buffer));
  });

  test.each([
    ['too few elements', () => tensor([2, 2], new Float32Array(3)), /got 3 elements, expected 4/],
    ['a shape that is none', () => tensor([-1], new Float32Array(1)), /shape/],
    [
      'another datatype',
      () => tensor([1], new Float32Array(1) as never, 'INT32'),
      /does not hold INT32/,
    ],
    ['a number out of range', () => tensor([1], [256], 'UINT8'), /data\[0\]: got 256/],
    ['a fraction', () => tensor([1], [1.5], 'INT64'), /data\[0\]: got 1.5/],
    ['plain numbers alone', () => tensor([1], [1] as never), /datatype/],
    [
      'arrays of typed arrays',
      () => inputsToWire({ x: [new Float32Array(1)] as never }),
      /input\.x/,
    ],
  ])('refuses %s', (_, make, message) => {
    expect(make).toThrow(
      expect.objectContaining({ code: 'INVALID_INPUT', message: expect.stringMatching(message) }),
    );
  });
});
