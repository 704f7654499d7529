import { describe, expect, it } from 'vitest';
import { read, refuses, spec } from './read-image.ts';

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
