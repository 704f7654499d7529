import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { classify, decodeBytesElements, type Tensor } from '../src/index.ts';
import { elementBytes } from './arbitrary-tensors.ts';
import { forAll } from './for-all.ts';

function scores(shape: number[], ...values: number[]): Tensor {
  return { name: 'p', datatype: 'FP32', shape, data: elementBytes('FP32', values) };
}

function texts(tensor: Tensor): string[] {
  return decodeBytesElements(tensor.data);
}

const PLAIN = { labels: [], axis: 0 };

describe('classify', () => {
  it('gives the best classes of each row, best first, with their labels', () => {
    const found = classify(scores([2, 3], 0.1, 0.7, 0.2, 0.5, 0.25, 0.25), {
      count: 2,
      labels: ['cat', 'dog'],
      axis: 0,
    });
    expect(found).toMatchObject({ name: 'p', datatype: 'BYTES', shape: [2, 2] });
    expect(texts(found)).toEqual([
      '0.700000:1:dog',
      '0.200000:2',
      '0.500000:0:cat',
      '0.250000:1:dog',
    ]);
  });

  it('takes a tensor without rows as one, and rows along any axis', () => {
    expect(classify(scores([3], 1, 3, 2), { ...PLAIN, axis: null, count: 1 })).toMatchObject({
      shape: [1],
    });
    const across = classify(scores([2, 2], 1, 4, 3, 2), { ...PLAIN, axis: 1, count: 1 });
    expect(texts(across)).toEqual(['3.000000:1', '4.000000:0']);
  });

  it('puts what is not a number last, and integers as integers', () => {
    const found = classify(scores([1, 3], Number.NaN, -1, 0), { ...PLAIN, count: 3 });
    expect(texts(found).map((text) => text.split(':')[1])).toEqual(['2', '1', '0']);
    const data = elementBytes('INT64', [2n ** 53n + 1n, 2n ** 53n]);
    const integers: Tensor = { name: 'p', datatype: 'INT64', shape: [1, 2], data };
    expect(texts(classify(integers, { ...PLAIN, count: 5 }))).toEqual([
      '9007199254740993:0',
      '9007199254740992:1',
    ]);
  });

  it('names each class once, in falling order', () => {
    forAll(
      fc.array(fc.float({ noNaN: true }), { minLength: 1, maxLength: 20 }),
      (values) => {
        const found = texts(
          classify(scores([1, values.length], ...values), { ...PLAIN, count: values.length }),
        );
        const order = found.map((text) => Number(text.split(':')[1]));
        expect([...order].sort((a, b) => a - b)).toEqual([...values.keys()]);
        const ranked = order.map((index) => values[index] ?? 0);
        expect(ranked).toEqual([...ranked].sort((a, b) => b - a));
      },
      100,
    );
  });
});
