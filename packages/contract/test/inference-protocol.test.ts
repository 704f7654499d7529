import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  DATATYPES,
  inferRequestSchema,
  inferResponseSchema,
  inferResponseToWire,
  type ModelSignature,
  parseInferInputs,
  parseJson,
  requestedOutputs,
  stringifyJson,
  viewElements,
} from '../src/index.ts';
import { arbitraryTensor, specOf } from './arbitrary-tensors.ts';
import { forAll } from './for-all.ts';
import { expectInvalidInput, thrownBy } from './quern-errors.ts';

const signature: ModelSignature = {
  inputs: [
    { name: 'ids', datatype: 'INT64', shape: [-1, 2] },
    { name: 'text', datatype: 'BYTES', shape: [-1] },
    { name: 'half', datatype: 'FP16', shape: [-1] },
  ],
  outputs: [
    { name: 'label', datatype: 'BYTES', shape: [-1] },
    { name: 'score', datatype: 'FP32', shape: [-1] },
  ],
  batchable: true,
  maxRows: 4,
};

const ids = { name: 'ids', shape: [1, 2], datatype: 'INT64', data: [1, 2] };
const text = { name: 'text', shape: [1], datatype: 'BYTES', data: ['a'] };
const half = { name: 'half', shape: [1], datatype: 'FP16', data: [0.5] };

function request(...inputs: unknown[]) {
  return inferRequestSchema.parse({ inputs });
}

function refuses(inputs: unknown[], path: string, problem: string) {
  expectInvalidInput(() => parseInferInputs(request(...inputs), signature), path, problem);
}

describe('parseInferInputs', () => {
  it('reads text, 64-bit integers and FP16, in any order, nested or flat', () => {
    const body = parseJson(
      '{"id": "r1", "inputs": [' +
        '{"name": "half", "shape": [2], "datatype": "FP16", "data": [0.5, -2]},' +
        '{"name": "text", "shape": [2], "datatype": "BYTES", "data": ["é", ""]},' +
        '{"name": "ids", "shape": [2, 2], "datatype": "INT64", "data": [[1, 2], [9007199254740993, -3]]}]}',
    );
    const inputs = parseInferInputs(inferRequestSchema.parse(body), signature);
    expect(inputs).toMatchObject({ rows: 2, lane: '2;;' });
    const [first, second, third] = inputs.tensors;
    expect([first, second, third].map((tensor) => tensor?.name)).toEqual(['ids', 'text', 'half']);
    expect([...viewElements('INT64', first?.data ?? new Uint8Array())]).toEqual([
      1n,
      2n,
      9007199254740993n,
      -3n,
    ]);
    expect([...(second?.data ?? [])]).toEqual([2, 0, 0, 0, 0xc3, 0xa9, 0, 0, 0, 0]);
    expect([...(third?.data ?? [])]).toEqual([0x00, 0x38, 0x00, 0xc0]);
  });

  it.each<[unknown[], string, string]>([
    [[ids, half], 'inputs', 'text is missing, expected BYTES [-1]'],
    [[ids, ids], 'inputs[1].name', 'repeated input the string "ids", expected ids, text, half'],
    [
      [{ ...ids, name: 'constructor' }],
      'inputs[0].name',
      'unknown input the string "constructor", expected ids, text, half',
    ],
    [
      [text, { ...ids, datatype: 'INT32' }],
      'inputs[1].datatype',
      'got the string "INT32", expected INT64 for ids',
    ],
    [
      [{ ...ids, shape: [2] }],
      'inputs[0].shape',
      'got rank 1 [2], expected rank 2 [-1,2]; the first dimension counts rows: put a single row in one more array',
    ],
    [
      [{ ...ids, shape: [1, '2'] }],
      'inputs[0].shape[1]',
      'got the string "2", expected an integer from 0 to 2147483647',
    ],
    [
      [{ ...ids, shape: undefined }],
      'inputs[0].shape',
      'got nothing, expected an array of integers',
    ],
    [[{ ...ids, data: undefined }], 'inputs[0].data', 'got nothing, expected an array'],
    [[{ ...ids, data: [1] }], 'inputs[0].data', 'got 1 elements, expected 2 for shape [1,2]'],
    [
      [{ ...ids, data: [[1, null]] }],
      'inputs[0].data[0][1]',
      'got null, expected an integer from -9223372036854775808 to 9223372036854775807 (INT64)',
    ],
    [[ids, { ...text, data: [7] }], 'inputs[1].data[0]', 'got 7, expected a string (BYTES)'],
    [
      [{ ...ids, shape: [2, 2], data: [1, 2, 3, 4] }, text, half],
      'inputs.text',
      'got 1 rows, expected 2 as in ids',
    ],
  ])('%j is refused at %s', (inputs, path, problem) => {
    refuses(inputs, path, problem);
  });
});

describe('requestedOutputs', () => {
  const outputs = (...names: string[]) => ({
    ...request(),
    outputs: names.map((name) => ({ name })),
  });

  it('are all unless some are named, then those in that order', () => {
    const [label, score] = ['label', 'score'].map((name) => ({ name, binary: false }));
    expect(requestedOutputs(request(), signature)).toEqual([label, score]);
    expect(requestedOutputs(outputs(), signature)).toEqual([label, score]);
    expect(requestedOutputs(outputs('score', 'label'), signature)).toEqual([score, label]);
  });

  it.each([
    [['score', 'nope'], 'unknown output the string "nope"'],
    [['score', 'score'], 'repeated output the string "score"'],
  ])('%j are refused', (names, problem) => {
    const error = thrownBy(() => requestedOutputs(outputs(...names), signature));
    expect(error.code).toBe('INVALID_REQUEST');
    expect(error.details).toEqual({ path: 'outputs[1].name' });
    expect(error.message).toBe(`outputs[1].name: ${problem}, expected label, score`);
  });
});

describe('the form of an output', () => {
  const wanted = (body: object) => requestedOutputs({ ...request(), ...body }, signature);

  it('is binary for all, for one, or for all but one', () => {
    const all = { parameters: { binary_data_output: true } };
    expect(wanted(all).map(({ binary }) => binary)).toEqual([true, true]);
    const score = { name: 'score', parameters: { binary_data: true } };
    expect(wanted({ outputs: [score, { name: 'label' }] }).map(({ binary }) => binary)).toEqual([
      true,
      false,
    ]);
    const label = { name: 'label', parameters: { binary_data: false } };
    expect(wanted({ ...all, outputs: [label] })).toEqual([{ name: 'label', binary: false }]);
  });

  it('can be classes', () => {
    const classes = (count: unknown) =>
      wanted({ outputs: [{ name: 'score', parameters: { classification: count } }] });
    expect(classes(3)).toEqual([{ name: 'score', binary: false, classes: 3 }]);
    expect(classes(0)).toEqual([{ name: 'score', binary: false }]);
    for (const count of [-1, 0.5, 'all', true]) {
      expect(thrownBy(() => classes(count)).message).toContain('expected how many classes');
    }
    const ofText = { outputs: [{ name: 'label', parameters: { classification: 1 } }] };
    expect(thrownBy(() => wanted(ofText)).message).toContain('label is text');
  });
});

describe('inferResponseToWire', () => {
  const anyTensor = fc.constantFrom(...DATATYPES).chain((datatype) => arbitraryTensor(datatype));

  it('conforms to its schema, and its outputs are read back as inputs, as JSON or binary', () => {
    forAll(
      fc.array(fc.tuple(anyTensor, fc.boolean()), { minLength: 1, maxLength: 4 }),
      (forms) => {
        const outputs = forms.map(([tensor, binary], index) => ({
          tensor: { ...tensor, name: `t${index}` },
          binary,
        }));
        const message = inferResponseToWire({ model: 'm', version: 2, id: 'r1', outputs });
        const json = stringifyJson(message.body, message.holdsBigints);
        const written = inferResponseSchema.parse(parseJson(json));
        expect(written).toMatchObject({ model_name: 'm', model_version: '2', id: 'r1' });
        const echo = inferRequestSchema.parse({ inputs: written.outputs });
        const spec = {
          inputs: outputs.map(({ tensor }) => specOf(tensor)),
          outputs: [],
          batchable: false,
          maxRows: 1,
        };
        const binary = new Uint8Array(Buffer.concat(message.binary));
        const { tensors } = parseInferInputs(echo, spec, binary);
        expect(tensors).toEqual(outputs.map(({ tensor }) => tensor));
      },
      100,
    );
  });

  it('has an id only if the request had one', () => {
    const { body } = inferResponseToWire({ model: 'm', version: 1, id: undefined, outputs: [] });
    expect(body).toEqual({ model_name: 'm', model_version: '1', outputs: [] });
  });
});
