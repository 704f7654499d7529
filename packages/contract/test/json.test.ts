import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJson, stringifyJson } from '../src/index.ts';
import { forAll } from './for-all.ts';
import { thrownBy } from './quern-errors.ts';

describe('parseJson', () => {
  it('reads what JSON.parse reads', () => {
    // Compared as text: doubles that JSON writes with all their digits come back as bigints.
    forAll(fc.json(), (text) => {
      expect(stringifyJson(parseJson(text), true)).toBe(JSON.stringify(JSON.parse(text)));
    });
  });

  it('reads the same with a large integer beside it', () => {
    forAll(fc.json(), (text) => {
      const value = parseJson(`[${text}, 9007199254740993]`);
      const expected = JSON.stringify(JSON.parse(text));
      expect(stringifyJson(value, true)).toBe(`[${expected},9007199254740993]`);
    });
  });

  it('64-bit integers beyond 2^53 are exact bigints, in every place', () => {
    forAll(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }), (integer) => {
      const isSafe = Number.isSafeInteger(Number(integer));
      const expected = isSafe ? Number(integer) : integer;
      expect(parseJson(`${integer}`)).toEqual(expected);
      expect(parseJson(`{"a":[${integer},\n${integer} ,${integer}],"b":${integer}}`)).toEqual({
        a: [expected, expected, expected],
        b: expected,
      });
    });
  });

  it.each([
    ['0.1234567890123456789', 0.12345678901234568],
    ['12345678901234567.5', 12345678901234568],
    ['1e18', 1e18],
    ['1234567890123456789e2', 1.2345678901234568e20],
    ['-123456789012345678901234', Number('-123456789012345678901234')],
    ['"9007199254740993"', '9007199254740993'],
    ['" 9007199254740993 "', ' 9007199254740993 '],
  ])('%s is %o, also beside a large integer', (text, expected) => {
    expect(parseJson(text)).toBe(expected);
    expect(parseJson(`[${text},9007199254740993]`)).toEqual([expected, 9007199254740993n]);
  });

  it('a million digits do not become a bigint', () => {
    expect(parseJson('9'.repeat(1e6))).toBe(Number.POSITIVE_INFINITY);
  });

  it.each(['', '9007199254740993'])('the last of repeated keys wins (%s)', (large) => {
    const tail = large === '' ? '' : `,"n":${large}`;
    expect(parseJson(`{"a":1,"a":{"b":2}${tail}}`)).toMatchObject({ a: { b: 2 } });
    expect(parseJson(`{"a":{"b":2},"a":null${tail}}`)).toMatchObject({ a: null });
  });

  it('a key "__proto__" is an own key like any other, in either parser', () => {
    for (const key of ['__proto__', '\\u005f_proto__']) {
      for (const number of ['1', '9007199254740993']) {
        const value = parseJson(`{"${key}": {"polluted": true}, "n": ${number}}`) as object;
        expect(Object.keys(value)).toEqual(['__proto__', 'n']);
        expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
        expect(value).not.toHaveProperty('polluted');
      }
    }
  });

  it.each([
    '',
    '{',
    '[1,]',
    '01',
    '+1',
    "{'a':1}",
    'NaN',
    '[9007199254740993,]',
    '[9007199254740993',
  ])('%j is refused as invalid JSON', (text) => {
    const error = thrownBy(() => parseJson(text));
    expect(error.code).toBe('INVALID_JSON');
    expect(error.message).toMatch(/^The body is not valid JSON: ./);
  });

  it('says little of a long body, and survives endless nesting', () => {
    const long = thrownBy(() => parseJson(`{"password": "${'s'.repeat(1000)}" oops}`));
    expect(long.message.length).toBeLessThan(150);
    const nested = `${'['.repeat(200_000)}9007199254740993`;
    expect(thrownBy(() => parseJson(nested)).code).toBe('INVALID_JSON');
  });
});

describe('stringifyJson', () => {
  it('writes what JSON.stringify writes, with either writer', () => {
    forAll(fc.jsonValue(), (value) => {
      expect(stringifyJson(value, false)).toBe(JSON.stringify(value));
      expect(JSON.parse(stringifyJson(value, true))).toEqual(JSON.parse(JSON.stringify(value)));
    });
  });

  it('writes bigints as integers', () => {
    expect(stringifyJson({ a: [2n ** 64n - 1n, 1], b: -5n, c: undefined }, true)).toBe(
      '{"a":[18446744073709551615,1],"b":-5}',
    );
  });

  it('writes nothing as null', () => {
    expect(stringifyJson(undefined, false)).toBe('null');
    expect(stringifyJson(undefined, true)).toBe('null');
  });
});
