import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  assertByteLength,
  type ModelSignature,
  parseJson,
  parseModelInputs,
  QuernError,
  type TensorSpec,
} from '../src/index.ts';
import { forAll } from './for-all.ts';
import { expectInvalidInput, thrownBy } from './quern-errors.ts';

function model(inputs: TensorSpec[], over: Partial<ModelSignature> = {}): ModelSignature {
  return { inputs, outputs: [], batchable: true, maxRows: 8, ...over };
}

const image: TensorSpec = { name: 'image', datatype: 'UINT8', shape: [-1, 2] };
const mask: TensorSpec = { name: 'mask', datatype: 'BOOL', shape: [-1, -1] };
const both = model([image, mask]);

describe('parseModelInputs', () => {
  it('gives tensors in the order of the signature, rows, lane, and the form of the first', () => {
    const input = {
      mask: [[true, false, true]],
      image: { shape: [1, 2], data: [1, 2] },
    };
    const inputs = parseModelInputs(input, both);
    expect(inputs.tensors.map(({ name, shape }) => ({ name, shape }))).toEqual([
      { name: 'image', shape: [1, 2] },
      { name: 'mask', shape: [1, 3] },
    ]);
    expect(inputs).toMatchObject({ rows: 1, lane: '2;3', form: 'flat' });
  });

  it('inputs that differ in rows alone share a lane', () => {
    const lane = (rows: number, width: number) => {
      const row = new Array(width).fill(true);
      const input = { image: new Array(rows).fill([1, 2]), mask: new Array(rows).fill(row) };
      return parseModelInputs(input, both).lane;
    };
    expect(lane(2, 3)).toBe(lane(5, 3));
    expect(lane(2, 3)).not.toBe(lane(2, 4));
  });

  it('a model without a batch axis has one row, and lanes by the whole shape', () => {
    const single = model([{ ...image, shape: [-1] }], { batchable: false, maxRows: 1 });
    expect(parseModelInputs({ image: [1, 2, 3] }, single)).toMatchObject({ rows: 1, lane: '3' });
    expect(parseModelInputs({ image: [] }, single)).toMatchObject({ rows: 1, lane: '0' });
  });

  it.each<[string, Record<string, unknown>, string, string]>([
    ['unknown', { images: [[1, 2]] }, 'input.images', 'unknown input, expected image, mask'],
    ['missing', { image: [[1, 2]] }, 'input.mask', 'missing, expected BOOL [-1,-1]'],
    [
      'of other rows',
      { image: [[1, 2]], mask: [[true], [true]] },
      'input.mask',
      'got 2 rows, expected 1 as in image',
    ],
    ['without rows', { image: [], mask: [] }, 'input.image', 'got 0 rows, expected 1 to 8'],
    [
      'of too many rows',
      { image: new Array(9).fill([1, 2]), mask: new Array(9).fill([true]) },
      'input.image',
      'got 9 rows, expected 1 to 8',
    ],
    [
      'wrong inside',
      {
        image: [
          [1, 2],
          [3, 256],
        ],
        mask: [[true]],
      },
      'input.image[1][1]',
      'got 256, expected an integer from 0 to 255 (UINT8)',
    ],
  ])('an input that is %s is refused', (_, input, path, problem) => {
    expectInvalidInput(() => parseModelInputs(input, both), path, problem);
  });

  it('only own keys count as inputs', () => {
    const names = ['constructor', 'toString', '__proto__', 'hasOwnProperty'];
    for (const name of names) {
      const signature = model([{ ...image, name }]);
      expectInvalidInput(
        () => parseModelInputs({}, signature),
        `input.${name}`,
        'missing, expected UINT8 [-1,2]',
      );
      const input = parseJson(`{"${name}": [[1, 2]]}`) as Record<string, unknown>;
      expect(parseModelInputs(input, signature).tensors[0]).toMatchObject({ name, shape: [1, 2] });
      const unknown = () => parseModelInputs(input, model([image]));
      expectInvalidInput(unknown, `input.${name}`, 'unknown input, expected image');
    }
  });

  it('a path quotes names that would mislead, and cuts long ones', () => {
    const read = (name: string) => () => parseModelInputs({ [name]: 1 }, model([image]));
    const problem = 'unknown input, expected image';
    expectInvalidInput(read('a.b[0]'), 'input["a.b[0]"]', problem);
    expectInvalidInput(read('a\nb'), 'input["a\\nb"]', problem);
    expectInvalidInput(read('onnx::Flatten_0'), 'input.onnx::Flatten_0', problem);
    expectInvalidInput(read('k'.repeat(1e5)), `input["${'k'.repeat(40)}..."]`, problem);
    const dotted = model([{ ...image, name: 'x.1' }]);
    const error = thrownBy(() => parseModelInputs({ 'x.1': [[1, 'a']] }, dotted));
    expect(error.details).toEqual({ path: 'input["x.1"][0][1]' });
  });
});

describe('any JSON either fits or is refused with a path', () => {
  const signature = model([
    image,
    mask,
    { name: 'score', datatype: 'FP32', shape: [-1] },
    { name: 'id', datatype: 'INT64', shape: [-1] },
    { name: 'text', datatype: 'BYTES', shape: [-1] },
  ]);
  const json = fc.jsonValue({ noUnicodeString: false });
  const element = fc.oneof(fc.integer({ min: -2, max: 300 }), fc.double(), fc.boolean(), json);
  const value = fc.oneof(
    json,
    fc.array(element, { maxLength: 3 }),
    fc.array(fc.array(element, { maxLength: 3 }), { maxLength: 3 }),
    fc.record(
      {
        shape: fc.oneof(json, fc.array(element, { maxLength: 3 })),
        datatype: fc.oneof(json, fc.constantFrom('UINT8', 'FP32')),
        data: fc.oneof(json, fc.array(element, { maxLength: 6 })),
        b64: fc.oneof(json, fc.base64String({ maxLength: 16 })),
      },
      { requiredKeys: [] },
    ),
  );
  const fields = { image: value, mask: value, score: value, id: value, text: value };
  const input = fc.oneof(
    fc.record(fields, { requiredKeys: [] }),
    // Nearly right, so that the later inputs are reached too.
    fc.record({
      image: fc.constant([[1, 2]]),
      mask: fc.oneof(fc.constant([[true]]), value),
      score: fc.oneof(fc.constant([0.5]), value),
      id: fc.oneof(fc.constant([1]), value),
      text: fc.oneof(fc.constant(['a']), value),
    }),
    fc.dictionary(fc.string(), json),
  );

  it('however it is built', () => {
    let fitting = 0;
    forAll(
      input,
      (candidate) => {
        try {
          const inputs = parseModelInputs(candidate, signature);
          for (const tensor of inputs.tensors) assertByteLength(tensor, tensor.name);
          expect(inputs.tensors.map((tensor) => tensor.shape[0])).toEqual(
            new Array(5).fill(inputs.rows),
          );
          fitting += 1;
        } catch (error) {
          expect(error).toBeInstanceOf(QuernError);
          expect(error).toMatchObject({
            code: 'INVALID_INPUT',
            details: { path: expect.stringMatching(/^input[.[]/) },
          });
          expect((error as QuernError).message.length).toBeLessThan(300);
        }
      },
      1000,
    );
    expect(fitting).toBeGreaterThan(0);
  });
});
