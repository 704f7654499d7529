const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Strings or raw elements as BYTES data: each a uint32 little-endian length, then the bytes (UTF-8). */
export function encodeBytesElements(elements: readonly (string | Uint8Array)[]): Uint8Array {
  const chunks = elements.map((element) =>
    typeof element === 'string' ? encoder.encode(element) : element,
  );
  const total = chunks.reduce((sum, chunk) => sum + 4 + chunk.byteLength, 0);
  const data = new Uint8Array(total);
  const view = new DataView(data.buffer);
  let offset = 0;
  for (const chunk of chunks) {
    view.setUint32(offset, chunk.byteLength, true);
    data.set(chunk, offset + 4);
    offset += 4 + chunk.byteLength;
  }
  return data;
}

/** The elements of BYTES data as views. The data must have passed `assertByteLength`. */
export function splitBytesElements(data: Uint8Array): Uint8Array[] {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const elements: Uint8Array[] = [];
  let offset = 0;
  while (offset < data.byteLength) {
    const length = view.getUint32(offset, true);
    elements.push(data.subarray(offset + 4, offset + 4 + length));
    offset += 4 + length;
  }
  return elements;
}

/** The elements of BYTES data as strings (UTF-8). */
export function decodeBytesElements(data: Uint8Array): string[] {
  return splitBytesElements(data).map((element) => decoder.decode(element));
}
