/** Tensors are little-endian on the wire, and nearly every machine is, too. */
const IS_LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/**
 * Turns elements from this machine's byte order to the wire's, or back: the bytes themselves where they
 * are the same, else a copy with each element's bytes reversed.
 */
export function swapToWire<T extends ArrayBufferLike>(
  bytes: Uint8Array<T>,
  elementBytes: number,
  isLittleEndian = IS_LITTLE_ENDIAN,
): Uint8Array<T | ArrayBuffer> {
  if (isLittleEndian || elementBytes === 1) return bytes;
  const swapped = new Uint8Array(bytes);
  for (let start = 0; start < swapped.length; start += elementBytes) {
    swapped.subarray(start, start + elementBytes).reverse();
  }
  return swapped;
}
