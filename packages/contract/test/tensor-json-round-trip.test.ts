import { describe, expect, it } from 'vitest';
import {
  DATATYPES,
  parseJson,
  stringifyJson,
  type Tensor,
  type TensorForm,
  tensorFromJson,
  tensorToJson,
} from '../src/index.ts';
import { arbitraryTensor, specOf } from './arbitrary-tensors.ts';
import { forAll } from './for-all.ts';

const FORMS: readonly TensorForm[] = ['nested', 'flat', 'base64'];

function throughText(tensor: Tensor, form: TensorForm, allowNonFinite = false) {
  const { value, holdsBigints } = tensorToJson(tensor, form);
  const text = stringifyJson(value, holdsBigints);
  return tensorFromJson(parseJson(text), specOf(tensor, allowNonFinite), 'input.x');
}

describe.each(DATATYPES)('%s through JSON text', (datatype) => {
  it.each(FORMS)('%s: comes back byte for byte, whatever the shape', (form) => {
    forAll(arbitraryTensor(datatype), (tensor) => {
      expect(throughText(tensor, form)).toEqual({ tensor, form });
    });
  });
});

describe('what JSON has no number for', () => {
  it.each(['FP16', 'FP32', 'FP64'] as const)('%s: NaN and infinities come back', (datatype) => {
    const spec = { name: 'x', datatype, shape: [-1], allowNonFinite: true };
    const values = ['NaN', 'Infinity', '-Infinity', 0.5];
    const { tensor } = tensorFromJson(values, spec, 'input.x');
    expect(tensorToJson(tensor, 'nested').value).toEqual(values);
    for (const form of FORMS) expect(throughText(tensor, form, true).tensor).toEqual(tensor);
  });

  it('a 64-bit integer beyond 2^53 is a bigint, and only such a one', () => {
    const spec = { name: 'x', datatype: 'INT64' as const, shape: [-1] };
    const small = tensorFromJson([-9007199254740991, 9007199254740991], spec, 'x').tensor;
    expect(tensorToJson(small, 'nested')).toEqual({
      value: [-9007199254740991, 9007199254740991],
      holdsBigints: false,
    });
    const large = tensorFromJson([-9007199254740992n, 1], spec, 'x').tensor;
    expect(tensorToJson(large, 'flat')).toEqual({
      value: { shape: [2], datatype: 'INT64', data: [-9007199254740992n, 1] },
      holdsBigints: true,
    });
  });
});

describe('tensorToJson', () => {
  const data = Uint8Array.from([0, 1, 2, 3, 4, 5]);
  const tensor: Tensor = { name: 'x', datatype: 'UINT8', shape: [2, 1, 3], data };

  it('nests by shape, row-major', () => {
    expect(tensorToJson(tensor, 'nested').value).toEqual([[[0, 1, 2]], [[3, 4, 5]]]);
  });

  it('writes a scalar as its only element', () => {
    const scalar: Tensor = { ...tensor, shape: [], data: data.subarray(5) };
    expect(tensorToJson(scalar, 'nested').value).toBe(5);
    expect(tensorToJson(scalar, 'flat').value).toEqual({ shape: [], datatype: 'UINT8', data: [5] });
  });

  it('writes empty arrays where a dimension is 0', () => {
    const empty = new Uint8Array(0);
    expect(tensorToJson({ ...tensor, shape: [2, 0, 3], data: empty }, 'nested').value).toEqual([
      [],
      [],
    ]);
    expect(tensorToJson({ ...tensor, shape: [0, 3], data: empty }, 'nested').value).toEqual([]);
  });

  it('writes booleans and text as such', () => {
    const flags: Tensor = { ...tensor, datatype: 'BOOL', shape: [2], data: data.subarray(0, 2) };
    expect(tensorToJson(flags, 'nested').value).toEqual([false, true]);
    const words = tensorFromJson(
      ['\ufeffété', '', '\u0000'],
      { name: 'w', datatype: 'BYTES', shape: [3] },
      'w',
    );
    expect(tensorToJson(words.tensor, 'nested').value).toEqual(['\ufeffété', '', '\u0000']);
  });

  it('base64 is the data as it lies there, from inside a larger buffer too', () => {
    expect(tensorToJson({ ...tensor, shape: [2], data: data.subarray(1, 3) }, 'base64')).toEqual({
      value: { shape: [2], datatype: 'UINT8', b64: 'AQI=' },
      holdsBigints: false,
    });
  });
});
