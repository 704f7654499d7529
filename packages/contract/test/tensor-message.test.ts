import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  assertByteLength,
  assertShape,
  DATATYPES,
  decodeTensors,
  encodeTensors,
  QuernError,
  type Tensor,
  tensorToJson,
} from '../src/index.ts';
import { arbitraryTensor } from './arbitrary-tensors.ts';
import { forAll } from './for-all.ts';
import { expectInvalidInput } from './quern-errors.ts';

const anyTensor = fc
  .tuple(fc.constantFrom(...DATATYPES), fc.string({ unit: 'grapheme', maxLength: 8 }))
  .chain(([datatype, name]) => arbitraryTensor(datatype, name));
const anyTensors = fc.array(anyTensor, { maxLength: 4 });

/** A message from a header and data, without the care that `encodeTensors` takes. */
function message(header: unknown, ...data: number[]): Uint8Array {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(text.byteLength);
  return Buffer.concat([length, text, Buffer.from(data)]);
}

function entry(size: number, shape: unknown = [size], datatype = 'UINT8', name = 'x') {
  return { name, datatype, shape, parameters: { binary_data_size: size } };
}

describe('tensors as one block of bytes', () => {
  it.each(DATATYPES)('%s comes back as it was', (datatype) => {
    forAll(arbitraryTensor(datatype), (tensor) => {
      expect(decodeTensors(encodeTensors([tensor]))).toEqual([tensor]);
    });
  });

  it('any number of tensors come back in order, from anywhere in a Buffer', () => {
    forAll(fc.tuple(anyTensors, fc.nat(9)), ([tensors, offset]) => {
      const encoded = encodeTensors(tensors);
      const shifted = Buffer.concat([Buffer.alloc(offset), encoded]).subarray(offset);
      expect(decodeTensors(shifted)).toEqual(tensors);
      // Readable too, wherever the data now starts.
      expect(decodeTensors(shifted).map((tensor) => tensorToJson(tensor, 'flat'))).toEqual(
        tensors.map((tensor) => tensorToJson(tensor, 'flat')),
      );
    });
  });

  it('the first tensor lies at a multiple of 8', () => {
    forAll(fc.string({ maxLength: 20 }), (name) => {
      const data = new Uint8Array(8);
      const [tensor] = decodeTensors(encodeTensors([{ name, datatype: 'FP64', shape: [1], data }]));
      expect(tensor?.data.byteOffset).toSatisfy((offset: number) => offset % 8 === 0);
    });
  });

  it('data are views into the message, and no Buffers', () => {
    const encoded = encodeTensors([
      { name: 'x', datatype: 'UINT8', shape: [2], data: Uint8Array.of(1, 2) },
    ]);
    const [tensor] = decodeTensors(Buffer.from(encoded.buffer));
    expect(tensor?.data.buffer).toBe(encoded.buffer);
    expect(tensor?.data.constructor).toBe(Uint8Array);
  });
});

describe('a message that lies', () => {
  const tooShort = Uint8Array.of(1, 0, 0);
  const longHeader = Uint8Array.of(255, 255, 255, 255, 123, 125);
  it.each<[string, Uint8Array, string, string]>([
    ['is cut in its length', tooShort, 'message', 'got 3 bytes, expected at least 4'],
    [
      'claims a longer header',
      longHeader,
      'message',
      'claims a header of 4294967295 bytes, but 2 are left',
    ],
    ['has no JSON', message('{"tensors"'), 'header', 'got text that is not JSON'],
    [
      'claims more data',
      message({ tensors: [entry(3)] }, 1, 2),
      'tensors[0]',
      'claims 3 bytes, but 2 are left',
    ],
    [
      'has bytes over',
      message({ tensors: [entry(1)] }, 1, 2, 3),
      'message',
      '2 bytes are left over',
    ],
    [
      'has too few bytes',
      message({ tensors: [entry(1), entry(1, [2])] }, 1, 2),
      'tensors[1]',
      'got 1 bytes, expected 2 for UINT8 of shape [2]',
    ],
    [
      'has a huge shape',
      message({ tensors: [entry(0, [1e9, 1e9])] }),
      'tensors[0].shape',
      'got 1000000000000000000 elements, expected at most 2147483647',
    ],
    [
      'has a huge shape of nothing',
      message({ tensors: [entry(0, [2 ** 53 - 1, 0])] }),
      'tensors[0].shape[0]',
      'got 9007199254740991, expected an integer from 0 to 2147483647',
    ],
    [
      'has a long shape',
      message({ tensors: [entry(0, new Array(65).fill(0))] }),
      'tensors[0].shape',
      'got 65 dimensions, expected at most 64',
    ],
    [
      'has a lying element',
      message({ tensors: [entry(5, [1], 'BYTES')] }, 2, 0, 0, 0, 65),
      'tensors[0]',
      'element 0 claims 2 bytes, but the data ends before that',
    ],
    [
      'has an element too few',
      message({ tensors: [entry(4, [2], 'BYTES')] }, 0, 0, 0, 0),
      'tensors[0]',
      'got 1 elements, expected 2 for shape [2]',
    ],
  ])('%s', (_, bytes, path, problem) => {
    expectInvalidInput(() => decodeTensors(bytes), path, problem);
  });

  it.each([
    null,
    [],
    {},
    { tensors: {} },
    { tensors: [entry(0, [-1])] },
    { tensors: [entry(0, [0.5])] },
    { tensors: [entry(-1, [0])] },
    { tensors: [entry(0, [0], 'BF16')] },
    { tensors: [entry(0, [0], 'constructor')] },
    { tensors: [{ ...entry(0), name: 1 }] },
    { tensors: [{ ...entry(0), parameters: {} }] },
  ])('has the header %j', (header) => {
    expect(() => decodeTensors(message(header))).toThrow(/^header: /);
  });

  it('never repeats a long name', () => {
    const bytes = message({ tensors: [entry(9, [9], 'UINT8', 'n'.repeat(100_000))] });
    expectInvalidInput(() => decodeTensors(bytes), 'tensors[0]', 'claims 9 bytes, but 0 are left');
  });
});

/** Either consistent tensors that lie within the message, or an INVALID_INPUT: nothing else. */
function decodesOrRefuses(bytes: Uint8Array): void {
  let tensors: Tensor[];
  try {
    tensors = decodeTensors(bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(QuernError);
    expect(error).toMatchObject({ code: 'INVALID_INPUT', details: { path: expect.any(String) } });
    return;
  }
  let total = 0;
  for (const tensor of tensors) {
    assertShape(tensor.shape, 'shape');
    assertByteLength(tensor, 'data');
    tensorToJson(tensor, 'nested');
    expect(tensor.data.buffer).toBe(bytes.buffer);
    total += tensor.data.byteLength;
  }
  expect(total).toBeLessThanOrEqual(bytes.byteLength);
}

describe('a damaged message decodes to something consistent or is refused', () => {
  const mutation = fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 }));

  it('when bytes have changed', () => {
    forAll(
      fc.tuple(anyTensors, fc.array(mutation, { minLength: 1, maxLength: 4 })),
      ([tensors, mutations]) => {
        const bytes = encodeTensors(tensors);
        for (const [position, byte] of mutations) bytes[position % bytes.byteLength] = byte;
        decodesOrRefuses(bytes);
      },
      400,
    );
  });

  it('when it is cut off or goes on', () => {
    forAll(
      fc.tuple(anyTensors, fc.nat(), fc.uint8Array({ maxLength: 9 })),
      ([tensors, cut, tail]) => {
        const bytes = encodeTensors(tensors);
        decodesOrRefuses(bytes.subarray(0, cut % bytes.byteLength));
        decodesOrRefuses(new Uint8Array([...bytes, ...tail]));
      },
      150,
    );
  });

  it('when header and data are anything', () => {
    const dimension = fc.oneof(fc.integer({ min: -1, max: 5 }), fc.maxSafeNat(), fc.double());
    const header = fc.record({
      tensors: fc.array(
        fc.record({
          name: fc.string(),
          datatype: fc.constantFrom(...DATATYPES),
          shape: fc.array(dimension, { maxLength: 5 }),
          parameters: fc.record({ binary_data_size: fc.oneof(fc.nat(16), fc.maxSafeNat()) }),
        }),
        { maxLength: 3 },
      ),
    });
    forAll(
      fc.tuple(fc.oneof(header, fc.jsonValue()), fc.uint8Array({ maxLength: 40 })),
      ([value, data]) => decodesOrRefuses(message(value, ...data)),
      400,
    );
    forAll(fc.uint8Array({ maxLength: 64 }), decodesOrRefuses, 150);
  });
});
