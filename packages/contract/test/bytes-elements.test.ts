import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeBytesElements, encodeBytesElements, splitBytesElements } from '../src/index.ts';
import { forAll } from './for-all.ts';

const text = fc.string({ unit: 'binary', maxLength: 12 });
const raw = fc.uint8Array({ maxLength: 12 });

describe('BYTES elements', () => {
  it('are a little-endian length and the bytes, one after the other', () => {
    expect([...encodeBytesElements(['é', '', Uint8Array.of(255)])]).toEqual([
      2, 0, 0, 0, 0xc3, 0xa9, 0, 0, 0, 0, 1, 0, 0, 0, 255,
    ]);
    expect(encodeBytesElements([])).toHaveLength(0);
  });

  it('of text come back as text', () => {
    forAll(fc.array(text), (texts) => {
      expect(decodeBytesElements(encodeBytesElements(texts))).toEqual(texts);
    });
  });

  it('of raw bytes come back as views, from inside a Buffer too', () => {
    forAll(fc.tuple(fc.array(raw), fc.nat(5)), ([elements, offset]) => {
      const encoded = encodeBytesElements(elements);
      const inBuffer = Buffer.concat([Buffer.alloc(offset), encoded]).subarray(offset);
      const data = new Uint8Array(inBuffer.buffer, inBuffer.byteOffset, inBuffer.byteLength);
      const found = splitBytesElements(data);
      expect(found).toEqual(elements);
      for (const element of found) expect(element.buffer).toBe(data.buffer);
    });
  });

  it('keep a byte order mark, and show what is not UTF-8', () => {
    const data = encodeBytesElements(['\ufeffa', Uint8Array.of(0x61, 0xff)]);
    expect(decodeBytesElements(data)).toEqual(['\ufeffa', 'a\ufffd']);
  });
});
