import { describe, expect, it } from 'vitest';
import { type Datatype, parseJson } from '../src/index.ts';
import { thrownBy } from './quern-errors.ts';
import { elements, read, refuses, spec } from './read-image.ts';

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
