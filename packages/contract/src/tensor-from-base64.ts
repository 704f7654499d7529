import { isAscii, isUtf8 } from 'node:buffer';
import { splitBytesElements } from './bytes-elements.ts';
import { unpackNumbers } from './element-array.ts';
import { show } from './error-text.ts';
import type { TensorSpec } from './model-signature.ts';
import { assertByteLength, invalidInput, type Tensor } from './tensor.ts';

/**
 * Reads the binary form from base64, for a shape that is already checked.
 * @throws QuernError `INVALID_INPUT` if the text is not canonical base64, or its bytes do not fit
 */
export function tensorFromBase64(
  b64: string,
  shape: readonly number[],
  spec: TensorSpec,
  path: string,
): Tensor {
  const buffer = Buffer.from(b64, 'base64');
  // Node's decoder skips what is not base64. Written again, only the canonical text is the same.
  if (buffer.toString('base64') !== b64) throw invalidInput(path, base64Problem(b64));
  const data = new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  const tensor: Tensor = { name: spec.name, datatype: spec.datatype, shape, data };
  assertByteLength(tensor, path);
  assertBinaryElements(tensor, spec, path);
  return tensor;
}

function base64Problem(b64: string): string {
  const expected = 'expected base64 (RFC 4648, section 4: A-Z a-z 0-9 + /, padded with =)';
  const position = b64.search(/[^A-Za-z0-9+/]/);
  const isPadding = position >= b64.length - 2 && /^={1,2}$/.test(b64.slice(position));
  if (position !== -1 && !isPadding) {
    return `got ${show(b64.charAt(position))} at position ${position}, ${expected}`;
  }
  if (b64.length % 4 !== 0) return `got ${b64.length} characters, no multiple of 4; ${expected}`;
  return `got left-over bits in the last character, ${expected}`;
}

/**
 * Throws where binary elements hold what JSON could not say: NaN or infinity in a float tensor, unless
 * the model allows them, a BOOL that is neither 0 nor 1, and text that is not UTF-8.
 */
export function assertBinaryElements(tensor: Tensor, spec: TensorSpec, path: string): void {
  const { datatype, data } = tensor;
  if (datatype === 'BYTES') {
    // Lengths are among the bytes: if all is ASCII the texts are, but UTF-8 has to be seen one by one.
    if (isAscii(data)) return;
    const index = splitBytesElements(data).findIndex((element) => !isUtf8(element));
    if (index !== -1) {
      throw invalidInput(
        `${path}[${index}]`,
        'got bytes that are not UTF-8, expected text (BYTES)',
      );
    }
  } else if (datatype === 'BOOL') {
    const index = data.findIndex((byte) => byte > 1);
    if (index !== -1) {
      throw invalidInput(`${path}[${index}]`, `got ${data[index]}, expected 0 or 1 (BOOL)`);
    }
  } else if (datatype === 'FP16' || datatype === 'FP32' || datatype === 'FP64') {
    if (spec.allowNonFinite === true) return;
    const numbers = unpackNumbers(datatype, data);
    for (let i = 0; i < numbers.length; i++) {
      if (!Number.isFinite(numbers[i])) {
        throw invalidInput(
          `${path}[${i}]`,
          `got ${numbers[i]}, expected a finite number (${datatype})`,
        );
      }
    }
  }
}
