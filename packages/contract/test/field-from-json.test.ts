import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fieldFromJson } from '../src/field-from-json.ts';
import { type Field, QuernError, splitBytesElements } from '../src/index.ts';

function read(value: unknown, field: Field, rows = -1) {
  const spec = { name: 'x', datatype: 'BYTES' as const, shape: [rows], field };
  const { tensor } = fieldFromJson(value, spec, 'input.x');
  expect(tensor).toMatchObject({ name: 'x', datatype: 'BYTES' });
  const elements = splitBytesElements(tensor.data);
  expect(tensor.shape).toEqual([elements.length]);
  return elements.map((element) => Buffer.from(element));
}

const image: Field = { kind: 'image' };
const text: Field = { kind: 'text' };
const record: Field = { kind: 'record' };

describe('a field of bytes', () => {
  const file = fc.uint8Array({ minLength: 1, maxLength: 40 }).map((bytes) => Buffer.from(bytes));

  test('is the same however it is written', () => {
    fc.assert(
      fc.property(fc.array(file, { minLength: 1, maxLength: 3 }), (files) => {
        const base64 = files.map((bytes) => bytes.toString('base64'));
        const percents = (bytes: Buffer) =>
          [...bytes].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
        expect(read(base64, image)).toEqual(files);
        expect(
          read(
            base64.map((one) => `data:image/png;base64,${one}`),
            image,
          ),
        ).toEqual(files);
        expect(
          read(
            files.map((one) => `data:,${percents(one)}`),
            image,
          ),
        ).toEqual(files);
        const [first = Buffer.alloc(0)] = files;
        expect(read(base64[0], image)).toEqual([first]);
        const object = { datatype: 'UINT8', shape: [first.length], data: [...first] };
        expect(read(object, image)).toEqual([first]);
      }),
    );
  });

  test('of a data URL without base64 is its text, with other bytes as %XX', () => {
    expect(read('data:text/plain,a%20b%C3%A9é', { kind: 'bytes' })).toEqual([Buffer.from('a béé')]);
  });

  test.each([
    ['data:image/png;base64,A', /input\.x.*base64/],
    ['data:,50%', /input\.x.*cut off in a %XX/],
    ['ftp://example.com/a.png', /input\.x.*"ftp:.*expected an image file as a data URL/],
    [7, /input\.x: got 7, expected an image file/],
    [['AAAA', null], /input\.x\[1\]: got null/],
    [{ a: 1 }, /input\.x/],
  ])('is not %j', (value, message) => {
    expect(() => read(value, image)).toThrow(message);
  });

  test('is refused beyond its limit', () => {
    const limited: Field = { kind: 'image', maxBytes: 3 };
    expect(read('AAAA', limited)).toHaveLength(1);
    expect(() => read('AAAAAAAA', limited)).toThrow(/got 6 bytes, expected at most 3/);
  });
});

test('an http(s) URL is a reference, and only of bytes', () => {
  const spec = { name: 'x', datatype: 'BYTES' as const, shape: [-1], field: image };
  const urls = ['https://example.com/a.png', 'AAAA', 'HTTP://example.com/b.png'];
  const { references, tensor } = fieldFromJson(urls, spec, 'input.x');
  expect(references).toEqual([0, 2]);
  expect(splitBytesElements(tensor.data).map((bytes) => Buffer.from(bytes).toString())).toEqual([
    urls[0],
    '\0\0\0',
    urls[2],
  ]);
  expect(fieldFromJson('https://a.b', { ...spec, field: text }, 'x').references).toBeUndefined();
  expect(() => read('https://', image)).toThrow(/expected a URL of at most 2048/);
  expect(() => read(`https://a.b/${'c'.repeat(3000)}`, image)).toThrow(/expected a URL of at most/);
});

describe('a field of text', () => {
  test('keeps every character', () => {
    const texts = fc.array(fc.string({ unit: 'grapheme' }), { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(texts, (values) => {
        expect(read(values, text).map(String)).toEqual(values);
        expect(read(values[0], text).map(String)).toEqual(values.slice(0, 1));
      }),
    );
  });

  test.each([
    [5, /got 5, expected a string/],
    ['\ud800', /lone surrogate/],
    [['a', ['b']], /input\.x\[1\]/],
  ])('is not %j', (value, message) => {
    expect(() => read(value, text)).toThrow(message);
  });
});

describe('a field of records', () => {
  test('keeps every value, and integers of any size', () => {
    expect(read({ a: 2n ** 60n, shape: [1], datatype: 'x' }, record).map(String)).toEqual([
      '{"a":1152921504606846976,"shape":[1],"datatype":"x"}',
    ]);
    fc.assert(
      fc.property(
        fc.array(fc.dictionary(fc.string(), fc.jsonValue()), { minLength: 1 }),
        (records) => {
          const parsed = read(records, record).map((bytes) => JSON.parse(String(bytes)));
          expect(parsed).toEqual(JSON.parse(JSON.stringify(records)));
        },
      ),
    );
  });

  test.each([['text'], [[[1]]], [null], [[{}, 1]]])('is not %j', (value) => {
    expect(() => read(value, record)).toThrow(/expected an object \(a record\)/);
  });
});

test('a model without rows takes one element', () => {
  expect(read('AAAA', image, 1)).toHaveLength(1);
  expect(() => read(['AAAA', 'AAAA'], image, 1)).toThrow(QuernError);
});
