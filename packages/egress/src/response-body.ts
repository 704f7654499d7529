import type { Readable } from 'node:stream';
import { tooLarge } from './request-faults.ts';

export interface BodyLimit {
  readonly maxBytes: number;
  readonly oversize: 'error' | 'truncate';
  /** For the message. */
  readonly url: URL;
}

/**
 * Reads a body and never holds more than one chunk beyond the limit; the rest of a larger one is not
 * read: its connection ends.
 * @throws QuernError `PAYLOAD_TOO_LARGE`
 */
export async function readBody(
  stream: Readable,
  { maxBytes, oversize, url }: BodyLimit,
): Promise<{ body: Buffer; isTruncated: boolean }> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    bytes += chunk.byteLength;
    if (bytes <= maxBytes) continue;
    if (oversize === 'error') throw tooLarge(url, maxBytes);
    break;
  }
  const body = Buffer.concat(chunks, Math.min(bytes, maxBytes));
  return { body, isTruncated: bytes > maxBytes };
}
