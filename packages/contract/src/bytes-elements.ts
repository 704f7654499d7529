/** Bytes of the uint32 in front of each element. */
const LENGTH_BYTES = 4;

/** Strings or raw elements as BYTES data: each a uint32 little-endian length, then the bytes (UTF-8). */
export function encodeBytesElements(elements: readonly (string | Uint8Array)[]): Uint8Array {
  let total = 0;
  for (const element of elements) {
    total +=
      LENGTH_BYTES +
      (typeof element === 'string' ? Buffer.byteLength(element) : element.byteLength);
  }
  const data = new Uint8Array(total);
  const buffer = Buffer.from(data.buffer);
  let offset = 0;
  for (const element of elements) {
    const start = offset + LENGTH_BYTES;
    if (typeof element === 'string') {
      offset = start + buffer.write(element, start);
    } else {
      buffer.set(element, start);
      offset = start + element.byteLength;
    }
    buffer.writeUInt32LE(offset - start, start - LENGTH_BYTES);
  }
  return data;
}

/** The elements of BYTES data as views. The data must have passed `assertByteLength`. */
export function splitBytesElements(data: Uint8Array): Uint8Array[] {
  return mapBytesElements(data, (_, start, end) => data.subarray(start, end));
}

/**
 * The elements of BYTES data as strings. The data must have passed `assertByteLength`. Bytes that are
 * not UTF-8 become U+FFFD.
 */
export function decodeBytesElements(data: Uint8Array): string[] {
  // Not TextDecoder: it drops a leading byte order mark, which is part of the text here.
  return mapBytesElements(data, (buffer, start, end) => buffer.toString('utf8', start, end));
}

function mapBytesElements<T>(
  data: Uint8Array,
  convert: (buffer: Buffer, start: number, end: number) => T,
): T[] {
  const buffer = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const elements: T[] = [];
  let offset = 0;
  while (offset < buffer.byteLength) {
    const start = offset + LENGTH_BYTES;
    offset = start + buffer.readUInt32LE(offset);
    elements.push(convert(buffer, start, offset));
  }
  return elements;
}
