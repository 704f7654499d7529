import { show } from './error-text.ts';
import type { TensorSpec } from './model-signature.ts';
import { invalidInput, type Tensor } from './tensor.ts';
import { tensorFromBinary } from './tensor-from-binary.ts';

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
  return tensorFromBinary(bytesFromBase64(b64, path), shape, spec, path);
}

/** @throws QuernError `INVALID_INPUT` if the text is not canonical base64 */
export function bytesFromBase64(b64: string, path: string): Uint8Array {
  const buffer = Buffer.from(b64, 'base64');
  // Node's decoder skips what is not base64. Written again, only the canonical text is the same.
  if (buffer.toString('base64') !== b64) throw invalidInput(path, base64Problem(b64));
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
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
