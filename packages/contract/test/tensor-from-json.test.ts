import { describe, expect, it } from 'vitest';
import {
  type Datatype,
  parseJson,
  type TensorSpec,
  tensorFromJson,
  viewElements,
} from '../src/index.ts';
import { expectInvalidInput, thrownBy } from './quern-errors.ts';

function spec(datatype: Datatype, shape: number[], allowNonFinite = false): TensorSpec {
  return { name: 'image', datatype, shape, allowNonFinite };
}

function read(value: unknown, of: TensorSpec) {
  return tensorFromJson(value, of, 'input.image');
}

function elements(value: unknown, of: TensorSpec) {
  if (of.datatype === 'BYTES') throw new Error('BYTES has no typed array');
  return [...viewElements(of.datatype, read(value, of).tensor.data)];
}

function refuses(value: unknown, of: TensorSpec, path: string, problem: string) {
  expectInvalidInput(() => read(value, of), path, problem);
}

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

describe('elements', () => {
  it('integers may be written 1.0, 1e3 or -0', () => {
    const value = parseJson('[1.0, 1e3, -0]');
    expect(elements(value, spec('INT32', [-1]))).toEqual([1, 1000, 0]);
    expect(elements(value, spec('INT64', [-1]))).toEqual([1n, 1000n, 0n]);
  });

  it('64-bit integers are exact around and beyond 2^53', () => {
    const text =
      '[9007199254740991,9007199254740992,9007199254740993,-9223372036854775808,9223372036854775807]';
    expect(elements(parseJson(text), spec('INT64', [-1]))).toEqual([
      9007199254740991n,
      9007199254740992n,
      9007199254740993n,
      -9223372036854775808n,
      9223372036854775807n,
    ]);
    const unsigned = parseJson('[18446744073709551615, 0]');
    expect(elements(unsigned, spec('UINT64', [-1]))).toEqual([18446744073709551615n, 0n]);
  });

  it('floats take large integers, and round as the datatype does', () => {
    const value = parseJson('[9007199254740993, 0.1]');
    expect(elements(value, spec('FP64', [-1]))).toEqual([9007199254740992, 0.1]);
    expect(elements(value, spec('FP32', [-1]))).toEqual([9007199254740992, Math.fround(0.1)]);
    expect(elements([0.1, 65_519.99], spec('FP16', [-1]))).toEqual([0.0999755859375, 65_504]);
  });

  it('FP32 takes its largest value in the shortest form', () => {
    expect(elements([3.4028235e38, -3.4028235e38], spec('FP32', [-1]))).toEqual([
      3.4028234663852886e38, -3.4028234663852886e38,
    ]);
  });

  it('JSON null and special strings are numbers only where the model says so', () => {
    const value = [null, 'NaN', 'Infinity', '-Infinity'];
    const of = spec('FP32', [-1], true);
    expect(elements(value, of)).toEqual([Number.NaN, Number.NaN, Infinity, -Infinity]);
    for (const item of value) {
      expect(thrownBy(() => read([item], spec('FP32', [-1]))).code).toBe('INVALID_INPUT');
    }
    expect(thrownBy(() => read(['nan'], of)).details).toEqual({ path: 'input.image[0]' });
  });

  const int64 = 'an integer from -9223372036854775808 to 9223372036854775807 (INT64)';
  const uint8 = 'an integer from 0 to 255 (UINT8)';
  const fp32 = 'a finite number within the range of FP32';
  const digitsOnly = '; beyond 2^53 as digits only, like 9007199254740993';
  it.each<[string, Datatype, string]>([
    ['256', 'UINT8', `got 256, expected ${uint8}`],
    ['-1', 'UINT8', `got -1, expected ${uint8}`],
    ['1.5', 'UINT8', `got 1.5, expected ${uint8}`],
    ['"1"', 'UINT8', `got the string "1", expected ${uint8}`],
    ['true', 'UINT8', `got true, expected ${uint8}`],
    ['18446744073709551615', 'UINT8', `got 18446744073709551615, expected ${uint8}`],
    ['9223372036854775808', 'INT64', `got 9223372036854775808, expected ${int64}`],
    ['1e18', 'INT64', `got 1000000000000000000, expected ${int64}${digitsOnly}`],
    ['0.5', 'INT64', `got 0.5, expected ${int64}`],
    ['"5"', 'INT64', `got the string "5", expected ${int64}`],
    [
      '-1',
      'UINT64',
      'got -1, expected an integer from 0 to 18446744073709551615 (UINT64); beyond 2^53 as digits only, like 9007199254740993',
    ],
    ['1e39', 'FP32', `got 1e+39, expected ${fp32}`],
    ['1e999', 'FP32', `got Infinity, expected ${fp32}`],
    ['65520', 'FP16', 'got 65520, expected a finite number within the range of FP16'],
    ['1e999', 'FP64', 'got Infinity, expected a finite number within the range of FP64'],
    ['true', 'FP32', `got true, expected ${fp32}`],
    ['1', 'BOOL', 'got 1, expected true or false (BOOL)'],
    ['1', 'BYTES', 'got 1, expected a string (BYTES)'],
    [
      '"\\ud800"',
      'BYTES',
      'got the string "\\ud800", expected a string without lone surrogates (BYTES)',
    ],
  ])('%s is not an element of %s', (text, datatype, problem) => {
    refuses(parseJson(`[${text}]`), spec(datatype, [-1]), 'input.image[0]', problem);
  });

  it('are echoed in short', () => {
    const { message } = thrownBy(() => read(['y'.repeat(1e6)], spec('FP32', [-1])));
    expect(message).toContain(`got the string "${'y'.repeat(40)}..."`);
    expect(message.length).toBeLessThan(150);
    const digits = parseJson(`[${'9'.repeat(100_000)}]`);
    expect(thrownBy(() => read(digits, spec('INT64', [-1]))).message.length).toBeLessThan(150);
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

describe('base64', () => {
  const of = spec('UINT8', [-1]);
  const expected = 'expected base64 (RFC 4648, section 4: A-Z a-z 0-9 + /, padded with =)';

  it('is read', () => {
    expect(read({ shape: [3], b64: '+/8A' }, of)).toEqual({
      tensor: {
        name: 'image',
        datatype: 'UINT8',
        shape: [3],
        data: Uint8Array.from([251, 255, 0]),
      },
      form: 'base64',
    });
    expect(read({ shape: [0], b64: '' }, of).tensor.data).toHaveLength(0);
  });

  it.each([
    ['-_8A', `got the string "-" at position 0, ${expected}`],
    ['+/8A\n', `got the string "\\n" at position 4, ${expected}`],
    ['+/ 8A', `got the string " " at position 2, ${expected}`],
    ['AAA=AAA=', `got the string "=" at position 3, ${expected}`],
    ['AA===', `got the string "=" at position 2, ${expected}`],
    ['====', `got the string "=" at position 0, ${expected}`],
    ['AA=', `got 3 characters, no multiple of 4; ${expected}`],
    ['AA', `got 2 characters, no multiple of 4; ${expected}`],
    ['A', `got 1 characters, no multiple of 4; ${expected}`],
    ['AB==', `got left-over bits in the last character, ${expected}`],
    ['AAAA', 'got 3 bytes, expected 1 for UINT8 of shape [1]'],
    ['', 'got 0 bytes, expected 1 for UINT8 of shape [1]'],
  ])('%j is refused', (b64, problem) => {
    refuses({ shape: [1], b64 }, of, 'input.image.b64', problem);
  });

  it('elements that JSON could not say are refused', () => {
    const b64 = (array: ArrayBufferView) => Buffer.from(array.buffer).toString('base64');
    const at = 'input.image.b64[1]';
    const nan = { shape: [2], b64: b64(Float32Array.of(1, Number.NaN)) };
    refuses(nan, spec('FP32', [-1]), at, 'got NaN, expected a finite number (FP32)');
    expect(read(nan, spec('FP32', [-1], true)).form).toBe('base64');
    const infinite = { shape: [2], b64: b64(Uint16Array.of(0x7bff, 0xfc00)) };
    refuses(infinite, spec('FP16', [-1]), at, 'got -Infinity, expected a finite number (FP16)');
    const flags = { shape: [2], b64: b64(Uint8Array.of(1, 2)) };
    refuses(flags, spec('BOOL', [-1]), at, 'got 2, expected 0 or 1 (BOOL)');
    const text = { shape: [2], b64: b64(Uint8Array.of(0, 0, 0, 0, 1, 0, 0, 0, 0xff)) };
    refuses(text, spec('BYTES', [-1]), at, 'got bytes that are not UTF-8, expected text (BYTES)');
  });

  it('BYTES whose lengths lie are refused', () => {
    const text = (...bytes: number[]) => ({
      shape: [1],
      b64: Buffer.from(bytes).toString('base64'),
    });
    const bytes = spec('BYTES', [-1]);
    const at = 'input.image.b64';
    refuses(
      text(255, 255, 255, 255, 65),
      bytes,
      at,
      'element 0 claims 4294967295 bytes, but the data ends before that',
    );
    refuses(text(0, 0), bytes, at, 'element 0 is cut off in its length');
    refuses(text(), bytes, at, 'got 0 elements, expected 1 for shape [1]');
    refuses(
      text(0, 0, 0, 0, 0, 0, 0, 0),
      bytes,
      at,
      'got more than 1 elements, expected 1 for shape [1]',
    );
  });
});
