import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  inferRequestSchema,
  type ModelSignature,
  parseInferInputs,
  parseRawInput,
  type QuernError,
  type TensorSpec,
} from '../src/index.ts';
import { forAll } from './for-all.ts';
import { expectInvalidInput } from './quern-errors.ts';

const signature: ModelSignature = {
  inputs: [
    { name: 'image', datatype: 'UINT8', shape: [-1, 2] },
    { name: 'text', datatype: 'BYTES', shape: [-1] },
  ],
  outputs: [],
  batchable: true,
  maxRows: 8,
};

/** One row: two bytes of image and an empty text. */
const BYTES = Uint8Array.of(7, 8, 0, 0, 0, 0);

function request(imageSize: unknown, textSize: unknown) {
  const input = (name: string, datatype: string, shape: number[], size: unknown) => ({
    name,
    datatype,
    shape,
    parameters: { binary_data_size: size },
  });
  return inferRequestSchema.parse({
    inputs: [input('image', 'UINT8', [1, 2], imageSize), input('text', 'BYTES', [1], textSize)],
  });
}

describe('a binary section', () => {
  it('is taken as it is, without a copy', () => {
    const { tensors, rows } = parseInferInputs(request(2, 4), signature, BYTES);
    expect(rows).toBe(1);
    expect(tensors.map(({ data }) => [...data])).toEqual([
      [7, 8],
      [0, 0, 0, 0],
    ]);
    expect(tensors[0]?.data.buffer).toBe(BYTES.buffer);
  });

  const size = (index: number) => `inputs[${index}].parameters.binary_data_size`;
  it.each<[unknown, unknown, string, string]>([
    [2, 5, size(1), 'claims 5 bytes, but 4 are left'],
    [7, 0, size(0), 'claims 7 bytes, but 6 are left'],
    [2 ** 53 - 1, 0, size(0), `claims ${2 ** 53 - 1} bytes, but 6 are left`],
    [-1, 4, size(0), 'got -1, expected a number of bytes'],
    [1.5, 4, size(0), 'got 1.5, expected a number of bytes'],
    ['2', 4, size(0), 'got the string "2", expected a number of bytes'],
    [1, 4, 'inputs[0]', 'got 1 bytes, expected 2 for UINT8 of shape [1,2]'],
    [2, 3, 'inputs[1]', 'element 0 is cut off in its length'],
    [2, 0, 'inputs[1]', 'got 0 elements, expected 1 for shape [1]'],
  ])('with sizes %s and %s is refused', (imageSize, textSize, path, problem) => {
    const call = () => parseInferInputs(request(imageSize, textSize), signature, BYTES);
    expectInvalidInput(call, path, problem);
  });

  it('with bytes left over is refused', () => {
    const longer = Uint8Array.of(...BYTES, 0);
    const call = () => parseInferInputs(request(2, 4), signature, longer);
    expectInvalidInput(call, 'body', '1 bytes are left over after the inputs');
  });

  it('that the request did not announce is refused', () => {
    const call = () => parseInferInputs(request(2, 4), signature);
    expectInvalidInput(
      call,
      size(0),
      'got 2, but the request has no Inference-Header-Content-Length, so no binary part',
    );
  });

  it('beside data is refused', () => {
    const both = inferRequestSchema.parse({
      inputs: [{ ...request(2, 4).inputs[0], data: [7, 8] }],
    });
    const call = () => parseInferInputs(both, signature, BYTES);
    expectInvalidInput(
      call,
      'inputs[0]',
      'got both data and binary_data_size, expected one of them',
    );
  });

  it('of any sizes and bytes is read or refused as invalid', () => {
    const anySize = fc.oneof(
      fc.integer(),
      fc.nat({ max: 12 }),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.string(),
    );
    forAll(
      fc.tuple(anySize, anySize, fc.uint8Array({ maxLength: 16 })),
      ([imageSize, textSize, bytes]) => {
        try {
          const { tensors } = parseInferInputs(request(imageSize, textSize), signature, bytes);
          const total = tensors.reduce((sum, { data }) => sum + data.byteLength, 0);
          expect(total).toBe(bytes.byteLength);
        } catch (error) {
          expect((error as QuernError).code).toBe('INVALID_INPUT');
        }
      },
      500,
    );
  });
});

describe('a raw body', () => {
  const model = (spec: Omit<TensorSpec, 'name'>, batchable = true): ModelSignature => ({
    inputs: [{ name: 'x', ...spec }],
    outputs: [],
    batchable,
    maxRows: 8,
  });
  const fp32 = (shape: number[]) => ({ datatype: 'FP32' as const, shape });

  it.each([
    ['one row', model(fp32([-1, 2])), 8, [1, 2]],
    ['a length that follows from the bytes', model(fp32([-1, -1, 2])), 24, [1, 3, 2]],
    ['no rows at all', model(fp32([-1, 2]), false), 24, [3, 2]],
    ['a scalar', model(fp32([]), false), 4, []],
  ])('is %s', (_title, of, byteLength, shape) => {
    const { tensors, rows } = parseRawInput(new Uint8Array(byteLength), of);
    expect(rows).toBe(1);
    expect(tensors[0]?.shape).toEqual(shape);
  });

  it('is the one text of a model that takes text', () => {
    const { tensors } = parseRawInput(
      new TextEncoder().encode('hé'),
      model({ datatype: 'BYTES', shape: [-1] }),
    );
    expect([...(tensors[0]?.data ?? [])]).toEqual([3, 0, 0, 0, 0x68, 0xc3, 0xa9]);
  });

  it.each([
    ['that does not divide', model(fp32([-1, 2])), 7, 'got 7 bytes, expected 8'],
    [
      'with two variable dimensions',
      model(fp32([-1, -1, -1])),
      8,
      'more than one variable dimension',
    ],
    ['with two inputs', signature, 8, 'a raw body is for models of one input'],
    ['with an empty row', model(fp32([-1, -1, 0])), 8, 'got 8 bytes, expected 0'],
  ])('%s is refused', (_title, of, byteLength, problem) => {
    expect(() => parseRawInput(new Uint8Array(byteLength), of)).toThrow(problem);
  });
});
