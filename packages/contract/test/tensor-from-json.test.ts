import { describe, expect, it } from 'vitest';
import { parseJson } from '../src/index.ts';
import { thrownBy } from './quern-errors.ts';
import { elements, read, refuses, spec } from './read-image.ts';

describe('nested arrays', () => {
  it('give shape, row-major data and form', () => {
    const { tensor, form } = read([[[1, 2]], [[3, 4]], [[5, 6]]], spec('UINT8', [-1, 1, 2]));
    expect(form).toBe('nested');
    expect(tensor).toEqual({
      name: 'image',
      datatype: 'UINT8',
      shape: [3, 1, 2],
      data: Uint8Array.from([1, 2, 3, 4, 5, 6]),
    });
  });

  it('of nothing take the extents that the model fixes', () => {
    expect(read([], spec('FP32', [-1, 3, -1])).tensor.shape).toEqual([0, 3, 0]);
    expect(read([[], []], spec('FP32', [-1, -1])).tensor.shape).toEqual([2, 0]);
  });

  it('a scalar is a bare value, and an error names no index', () => {
    expect(elements(7, spec('INT64', []))).toEqual([7n]);
    refuses(
      '7',
      spec('FP32', []),
      'input.image',
      'got the string "7", expected a finite number within the range of FP32',
    );
    refuses([7], spec('FP32', []), 'input.image', 'got rank 1 [1], expected rank 0 []');
  });

  it.each([
    [[[1, 2], [3]], 'input.image[1]', 'got an array of 1, expected an array of 2 for shape [2,2]'],
    [[[1, 2], 3], 'input.image[1]', 'got 3, expected an array of 2 for shape [2,2]'],
    [[[1, 2], null], 'input.image[1]', 'got null, expected an array of 2 for shape [2,2]'],
    [[[1], [2, 3]], 'input.image[1]', 'got an array of 2, expected an array of 1 for shape [2,1]'],
    [[[], [1]], 'input.image[1]', 'got an array of 1, expected an array of 0 for shape [2,0]'],
    [
      [[1, [2]]],
      'input.image[0][1]',
      'got an array of 1, expected a finite number within the range of FP32',
    ],
    [
      [[1, {}]],
      'input.image[0][1]',
      'got an object, expected a finite number within the range of FP32',
    ],
  ])('%j is ragged: %s', (value, path, problem) => {
    refuses(value, spec('FP32', [-1, -1]), path, problem);
  });

  it('name the exact element in deep arrays', () => {
    const value = Array.from({ length: 4 }, () => [[1, 2, 3]] as unknown[][]);
    value[3] = [[1, 2, 'x']];
    const problem = 'got the string "x", expected a finite number within the range of FP32';
    refuses(value, spec('FP32', [-1, 1, 3]), 'input.image[3][0][2]', problem);
  });

  it('name a ragged array in the depth', () => {
    const value = [
      [[1], [2]],
      [[3], [4, 5]],
    ];
    const problem = 'got an array of 2, expected an array of 1 for shape [2,2,1]';
    refuses(value, spec('FP32', [-1, -1, -1]), 'input.image[1][1]', problem);
  });

  it('of the wrong rank or extent say both shapes', () => {
    const of = spec('FP32', [-1, 4]);
    const hint = '; the first dimension counts rows: put a single row in one more array';
    refuses([1, 2, 3, 4], of, 'input.image', `got rank 1 [4], expected rank 2 [-1,4]${hint}`);
    refuses([[1, 2]], of, 'input.image', 'got [1,2], expected [-1,4] (dimension 1)');
    refuses(3, of, 'input.image', 'got 3, expected nested arrays of shape [-1,4] (FP32)');
  });

  it('cost their sender every element: a shape that is only claimed allocates nothing', () => {
    // 46,340 x 46,340 FP64 would be 17 GB.
    const row = new Array(46_340).fill(0);
    const claimed = [row, ...new Array(46_339).fill([])];
    const error = thrownBy(() => read(claimed, spec('FP64', [-1, -1])));
    expect(error.details).toEqual({ path: 'input.image[1]' });
  });

  it('nested without end are refused in a short message', () => {
    const depth = 100_000;
    const value = JSON.parse('['.repeat(depth) + ']'.repeat(depth));
    const { message } = thrownBy(() => read(value, spec('FP32', [-1, 4])));
    expect(message).toContain('expected rank 2 [-1,4]');
    expect(message.length).toBeLessThan(120);
  });
});

describe('an object with a shape', () => {
  const of = spec('INT16', [-1, 2]);

  it('takes flat and nested data', () => {
    const flat = read({ shape: [2, 2], datatype: 'INT16', data: [1, 2, 3, 4] }, of);
    const nested = read(
      {
        shape: [2, 2],
        data: [
          [1, 2],
          [3, 4],
        ],
      },
      of,
    );
    expect(flat.form).toBe('flat');
    expect(nested).toEqual(flat);
    expect(elements({ shape: [2, 2], data: [1, 2, 3, 4] }, of)).toEqual([1, 2, 3, 4]);
    expect(read({ shape: [0, 2], data: [] }, of).tensor.shape).toEqual([0, 2]);
    expect(read({ shape: [], data: [1] }, spec('INT16', [])).tensor.shape).toEqual([]);
  });

  it.each<[Record<string, unknown>, string, string]>([
    [{ data: [1, 2] }, '.shape', 'got nothing, expected an array of integers'],
    [
      { shape: '1x2', data: [1, 2] },
      '.shape',
      'got the string "1x2", expected an array of integers',
    ],
    [
      { shape: [1, '2'], data: [1, 2] },
      '.shape[1]',
      'got the string "2", expected an integer from 0 to 2147483647',
    ],
    [
      { shape: [1, -2], data: [1, 2] },
      '.shape[1]',
      'got -2, expected an integer from 0 to 2147483647',
    ],
    [
      { shape: [1, 1.5], data: [1, 2] },
      '.shape[1]',
      'got 1.5, expected an integer from 0 to 2147483647',
    ],
    [
      { shape: [1, 2n], data: [1, 2] },
      '.shape[1]',
      'got 2, expected an integer from 0 to 2147483647',
    ],
    [
      { shape: [1, 2 ** 53], data: [1, 2] },
      '.shape[1]',
      'got 9007199254740992, expected an integer from 0 to 2147483647',
    ],
    [{ shape: [1, 3], data: [1, 2, 3] }, '.shape', 'got [1,3], expected [-1,2] (dimension 1)'],
    [{ shape: [2, 2], data: [1, 2, 3] }, '.data', 'got 3 elements, expected 4 for shape [2,2]'],
    [
      { shape: [2, 2], data: [[1, 2]] },
      '.data',
      'got an array of 1, expected an array of 2 for shape [2,2]',
    ],
    [
      { shape: [2, 2], data: [1, 2, 3, 'x'] },
      '.data[3]',
      'got the string "x", expected an integer from -32768 to 32767 (INT16)',
    ],
    [
      { shape: [1, 2], data: [[1, 1e9]] },
      '.data[0][1]',
      'got 1000000000, expected an integer from -32768 to 32767 (INT16)',
    ],
    [{ shape: [1, 2], data: 'AAAAAA==' }, '.data', 'got the string "AAAAAA==", expected an array'],
    [{ shape: [1, 2], b64: 5 }, '.b64', 'got 5, expected a base64 string'],
    [{ shape: [1, 2] }, '', 'got neither of "data" and "b64", expected one of them'],
    [
      { shape: [1, 2], data: [1, 2], b64: '' },
      '',
      'got both of "data" and "b64", expected one of them',
    ],
    [
      { shape: [1, 2], datatype: 'FP32', data: [1, 2] },
      '.datatype',
      'got the string "FP32", expected INT16',
    ],
    [{ shape: [1, 2], datatype: null, data: [1, 2] }, '.datatype', 'got null, expected INT16'],
    [
      { shape: [1, 2], dtype: 'INT16' },
      '.dtype',
      'unknown key, expected shape, datatype and data or b64',
    ],
  ])('%o is refused at %s', (value, path, problem) => {
    refuses(value, of, `input.image${path}`, problem);
  });

  it('inherits nothing', () => {
    const hostile = parseJson('{"__proto__": {"shape": [1, 2], "data": [1, 2]}}');
    const problem = 'unknown key, expected shape, datatype and data or b64';
    refuses(hostile, of, 'input.image.__proto__', problem);
  });

  it('a shape with more elements than can be indexed is refused', () => {
    const problem = 'got 4294967296 elements, expected at most 2147483647';
    const huge = { shape: [65_536, 65_536], data: [1] };
    refuses(huge, spec('INT16', [-1, -1]), 'input.image.shape', problem);
  });

  it('a shape that overflows a double is refused, with a 0 in it too', () => {
    const shape = new Array(40).fill(2 ** 31 - 1);
    const any = spec('INT16', new Array(40).fill(-1));
    expect(thrownBy(() => read({ shape, data: [1] }, any)).message).toContain(
      'got Infinity elements',
    );
    expect(thrownBy(() => read({ shape: [...shape.slice(1), 0], data: [] }, any)).details).toEqual({
      path: 'input.image.shape',
    });
    const deep = { shape: new Array(1e5).fill(1), data: [1] };
    expect(thrownBy(() => read(deep, of)).message).toBe(
      'input.image.shape: got 100000 dimensions, expected at most 64',
    );
  });
});
