import { isAscii, isUtf8 } from 'node:buffer';
import { splitBytesElements } from './bytes-elements.ts';
import { viewElements } from './element-array.ts';
import { type Field, fieldElementProblem } from './input-field.ts';
import type { TensorSpec } from './model-signature.ts';
import { assertByteLength, invalidInput, type Tensor } from './tensor.ts';

/**
 * Takes elements in the binary form (see `Tensor`) as they are, for a shape that is already checked.
 * @returns a tensor over the same bytes
 * @throws QuernError `INVALID_INPUT` if the bytes do not fit the shape, or hold what JSON could not
 *   say: NaN or infinity, unless the model allows them, a BOOL that is neither 0 nor 1, or text that
 *   is not UTF-8
 */
export function tensorFromBinary(
  data: Uint8Array,
  shape: readonly number[],
  spec: TensorSpec,
  path: string,
): Tensor {
  const tensor: Tensor = { name: spec.name, datatype: spec.datatype, shape, data };
  assertByteLength(tensor, path);
  const bad = firstBadElement(tensor, spec);
  if (bad !== undefined) throw invalidInput(`${path}[${bad.index}]`, bad.problem);
  return tensor;
}

interface BadElement {
  readonly index: number;
  readonly problem: string;
}

function firstBadElement({ datatype, data }: Tensor, spec: TensorSpec): BadElement | undefined {
  if (datatype === 'BYTES') {
    return spec.field === undefined ? firstThatIsNotText(data) : firstBadField(data, spec.field);
  }
  if (datatype === 'BOOL') {
    const index = data.findIndex((byte) => byte > 1);
    return index === -1 ? undefined : bad(index, `${data[index]}, expected 0 or 1 (BOOL)`);
  }
  if (datatype !== 'FP16' && datatype !== 'FP32' && datatype !== 'FP64') return undefined;
  if (spec.allowNonFinite === true) return undefined;
  const index = firstNonFinite(datatype, data);
  if (index === -1) return undefined;
  const value = Number(viewElements(datatype, data)[index]);
  return bad(index, `${value}, expected a finite number (${datatype})`);
}

function bad(index: number, gotAndExpected: string): BadElement {
  return { index, problem: `got ${gotAndExpected}` };
}

function firstThatIsNotText(data: Uint8Array): BadElement | undefined {
  // Lengths are among the bytes: if all is ASCII the texts are, but UTF-8 has to be seen one by one.
  if (isAscii(data)) return undefined;
  const index = splitBytesElements(data).findIndex((element) => !isUtf8(element));
  return index === -1 ? undefined : bad(index, 'bytes that are not UTF-8, expected text (BYTES)');
}

function firstBadField(data: Uint8Array, field: Field): BadElement | undefined {
  for (const [index, element] of splitBytesElements(data).entries()) {
    const problem = fieldElementProblem(element, field);
    if (problem !== undefined) return { index, problem };
  }
  return undefined;
}

/** An IEEE 754 number is infinite or NaN if all bits of its exponent are set. */
function firstNonFinite(datatype: 'FP16' | 'FP32' | 'FP64', data: Uint8Array): number {
  if (datatype === 'FP64') {
    const numbers = viewElements('FP64', data) as Float64Array;
    return numbers.findIndex((number) => !Number.isFinite(number));
  }
  const isHalf = datatype === 'FP16';
  const exponent = isHalf ? 0x7c00 : 0x7f80_0000;
  const bits = viewElements(isHalf ? 'UINT16' : 'UINT32', data) as Uint16Array | Uint32Array;
  for (let i = 0; i < bits.length; i++) {
    if (((bits[i] as number) & exponent) === exponent) return i;
  }
  return -1;
}
