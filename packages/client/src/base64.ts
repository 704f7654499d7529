/** Of Node's Buffer what is used here; browsers have none. */
interface NodeBuffer {
  from(
    buffer: ArrayBufferLike,
    offset: number,
    length: number,
  ): {
    toString(encoding: 'base64'): string;
    write(text: string, encoding: 'base64'): number;
  };
}

const nodeBuffer = (globalThis as { readonly Buffer?: NodeBuffer }).Buffer;

/** `String.fromCharCode` takes its characters as arguments, of which there may not be too many. */
const CHUNK_BYTES = 0x2000;

/** Bytes as base64 (RFC 4648, padded). */
export function encodeBase64(bytes: Uint8Array): string {
  if (nodeBuffer === undefined) return portableBase64.encode(bytes);
  return nodeBuffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

/**
 * The bytes that base64 stands for, at the start of a buffer of their own, so that any typed array can
 * view them.
 * @throws Error unless it is base64
 */
export function decodeBase64(text: string): Uint8Array<ArrayBuffer> {
  if (nodeBuffer === undefined) return portableBase64.decode(text);
  const bytes = new Uint8Array(decodedLength(text));
  const written = nodeBuffer.from(bytes.buffer, 0, bytes.byteLength).write(text, 'base64');
  if (written !== bytes.byteLength) throw new Error('not base64');
  return bytes;
}

function decodedLength(text: string): number {
  if (text.length % 4 !== 0) throw new Error(`${text.length} characters are no base64`);
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  return (text.length / 4) * 3 - padding;
}

/** What every platform can do. */
export const portableBase64 = {
  encode(bytes: Uint8Array): string {
    let binary = '';
    for (let start = 0; start < bytes.length; start += CHUNK_BYTES) {
      binary += String.fromCharCode(...bytes.subarray(start, start + CHUNK_BYTES));
    }
    return btoa(binary);
  },

  decode(text: string): Uint8Array<ArrayBuffer> {
    const binary = atob(text);
    const bytes = new Uint8Array(binary.length);
    for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
    return bytes;
  },
};
