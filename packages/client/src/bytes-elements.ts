/** Bytes of the uint32 in front of each element. */
const LENGTH_BYTES = 4;

/** Texts as BYTES data: each a uint32 little-endian length, then UTF-8. */
export function encodeTexts(texts: readonly string[]): Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder();
  const elements = texts.map((text) => encoder.encode(text));
  const total = elements.reduce((sum, { byteLength }) => sum + LENGTH_BYTES + byteLength, 0);
  const data = new Uint8Array(total);
  const view = new DataView(data.buffer);
  let offset = 0;
  for (const element of elements) {
    view.setUint32(offset, element.byteLength, true);
    data.set(element, offset + LENGTH_BYTES);
    offset += LENGTH_BYTES + element.byteLength;
  }
  return data;
}

/**
 * The texts in BYTES data.
 * @throws RangeError if a length points beyond the data
 */
export function decodeTexts(data: Uint8Array): string[] {
  // A byte order mark is part of the text here.
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const texts: string[] = [];
  for (let offset = 0; offset < data.byteLength; ) {
    const start = offset + LENGTH_BYTES;
    offset = start + view.getUint32(offset, true);
    if (offset > data.byteLength) throw new RangeError(`element ${texts.length} is cut off`);
    texts.push(decoder.decode(data.subarray(start, offset)));
  }
  return texts;
}
