import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  concatRows,
  DATATYPE_TRAITS,
  DATATYPES,
  elementCount,
  encodeBytesElements,
  sliceRows,
  type Tensor,
} from '../src/index.ts';

/** A tensor of any datatype whose element `i` is recognisable, and one of its axes. */
const tensorAndAxis = fc
  .record({
    datatype: fc.constantFrom(...DATATYPES),
    shape: fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 4 }),
    axisSeed: fc.nat(),
  })
  .map(({ datatype, shape, axisSeed }) => {
    const count = elementCount(shape);
    const data =
      datatype === 'BYTES'
        ? encodeBytesElements(Array.from({ length: count }, (_, i) => 'é'.repeat(i % 5) + i))
        : Uint8Array.from({ length: count * DATATYPE_TRAITS[datatype].bytes }, (_, i) => i * 7);
    const tensor: Tensor = { name: 't', datatype, shape, data };
    return { tensor, axis: axisSeed % shape.length };
  });

test('a tensor cut into rows along any axis and put together again is the same tensor', () => {
  fc.assert(
    fc.property(tensorAndAxis, fc.array(fc.nat()), ({ tensor, axis }, seeds) => {
      const rows = tensor.shape[axis] ?? 0;
      const cuts = [0, ...seeds.map((seed) => seed % (rows + 1)).sort((a, b) => a - b), rows];
      const [head, ...tail] = cuts
        .slice(1)
        .map((end, i) => sliceRows(tensor, axis, cuts[i] ?? 0, end - (cuts[i] ?? 0)));
      if (head === undefined) throw new Error('no part');
      expect(concatRows([head, ...tail], axis)).toEqual(tensor);
    }),
  );
});

test('a row of an axis behind the first is every element of it', () => {
  const data = Uint8Array.from([0, 1, 2, 10, 11, 12]);
  const tensor: Tensor = { name: 't', datatype: 'UINT8', shape: [2, 3], data };
  expect(sliceRows(tensor, 1, 1, 1)).toEqual({
    ...tensor,
    shape: [2, 1],
    data: Uint8Array.from([1, 11]),
  });
  expect(sliceRows(tensor, 1, 1, 2).data).toEqual(Uint8Array.from([1, 2, 11, 12]));
});

test('rows that lie together are not copied', () => {
  const data = Uint8Array.from([0, 1, 2, 10, 11, 12]);
  const leading: Tensor = { name: 't', datatype: 'UINT8', shape: [1, 2, 3], data };
  expect(sliceRows(leading, 1, 1, 1).data.buffer).toBe(data.buffer);
});

test('what all rows share stays whole', () => {
  const rate: Tensor = { name: 'sr', datatype: 'UINT8', shape: [], data: Uint8Array.from([16]) };
  expect(sliceRows(rate, null, 3, 1)).toBe(rate);
  expect(concatRows([rate, rate], null)).toBe(rate);
});
