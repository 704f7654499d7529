import { Float16Array, f16round } from '@petamoriken/float16';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromFloat16Bits, toFloat16Bits } from '../src/float16.ts';
import {
  allocateElements,
  DATATYPE_TRAITS,
  DATATYPES,
  datatypeFromOnnx,
  viewBytes,
  viewElements,
} from '../src/index.ts';
import { forAll } from './for-all.ts';

const NUMERIC = DATATYPES.filter((datatype) => datatype !== 'BYTES');

describe('the datatype table', () => {
  it('gives the bytes per element that the typed arrays have', () => {
    for (const datatype of NUMERIC) {
      expect(viewBytes(allocateElements(datatype, 3)).byteLength, datatype).toBe(
        3 * DATATYPE_TRAITS[datatype].bytes,
      );
    }
  });

  it('gives bounds that the datatype holds exactly', () => {
    for (const datatype of NUMERIC) {
      const { min, max } = DATATYPE_TRAITS[datatype];
      const array = allocateElements(datatype, 2);
      array[0] = min;
      array[1] = max;
      expect([array[0], array[1]], datatype).toEqual([min, max]);
    }
  });

  it('maps ONNX names there and back, and knows no others', () => {
    for (const datatype of DATATYPES) {
      expect(datatypeFromOnnx(DATATYPE_TRAITS[datatype].onnx)).toBe(datatype);
    }
    for (const name of ['bfloat16', 'complex64', 'FP32', '', 'constructor', '__proto__']) {
      expect(datatypeFromOnnx(name), name).toBeUndefined();
    }
  });
});

describe('viewElements', () => {
  it('reads data at any offset, in a Buffer too', () => {
    for (const datatype of NUMERIC) {
      const array = allocateElements(datatype, 3);
      array[1] = DATATYPE_TRAITS[datatype].max;
      const bytes = viewBytes(array);
      for (let offset = 0; offset < 8; offset++) {
        const message = Buffer.concat([Buffer.alloc(offset), bytes]);
        const shifted = new Uint8Array(message).subarray(offset);
        expect([...viewElements(datatype, shifted)], `${datatype} +${offset}`).toEqual([...array]);
        const inBuffer = Buffer.from(shifted.buffer, offset, bytes.byteLength);
        expect([...viewElements(datatype, inBuffer)], `${datatype} +${offset}`).toEqual([...array]);
      }
    }
  });

  it('shares memory where the offset is aligned', () => {
    const data = new Uint8Array(8);
    const elements = viewElements('FP32', data);
    elements[1] = 1;
    expect([...data]).toEqual([0, 0, 0, 0, 0, 0, 128, 63]);
  });
});

describe('FP16', () => {
  it('reads all 65,536 bit patterns as IEEE 754 has them, and writes them back', () => {
    const bits = Uint16Array.from({ length: 65_536 }, (_, i) => i);
    const reference = [...new Float16Array(bits.buffer)];
    expect(Array.from(bits, fromFloat16Bits)).toEqual(reference);
    const isNumber = (pattern: number) => !Number.isNaN(fromFloat16Bits(pattern));
    const numbers = bits.filter(isNumber);
    expect(numbers.map((pattern) => toFloat16Bits(fromFloat16Bits(pattern)))).toEqual(numbers);
    expect(fromFloat16Bits(toFloat16Bits(Number.NaN))).toBeNaN();
  });

  it('rounds every number to the nearest, halfway to even', () => {
    const halfway = fc
      .integer({ min: 0, max: 0x7bff })
      .map((pattern) => (fromFloat16Bits(pattern) + fromFloat16Bits(pattern + 1)) / 2)
      .filter(Number.isFinite);
    const number = fc.oneof(
      fc.double(),
      fc.double({ min: -70_000, max: 70_000 }),
      fc.double({ min: -1e-4, max: 1e-4 }),
      halfway,
      halfway.map((value) => -value * (1 + Number.EPSILON)),
    );
    forAll(
      number,
      (value) => expect(fromFloat16Bits(toFloat16Bits(value))).toBe(f16round(value)),
      2000,
    );
  });
});
