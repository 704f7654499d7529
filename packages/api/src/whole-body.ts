import compression from 'compression';
import type { Response } from 'express';

/** Smaller answers gain nothing: they are one packet either way. */
const COMPRESS_FROM_BYTES = 2048;
const compress = compression({ threshold: COMPRESS_FROM_BYTES });

/**
 * Ends a response with the whole of its body, compressed where that is worth it and the caller takes
 * it. Only long answers come to the compressor: to be asked costs a short one more than its writing.
 */
export function endWith(response: Response, body: string | Buffer): void {
  const bytes = Buffer.byteLength(body);
  response.setHeader('Content-Length', bytes);
  if (bytes < COMPRESS_FROM_BYTES) {
    response.end(body);
    return;
  }
  compressed(response, () => response.end(body));
}

/** Compresses what `write` then sends, if it is long enough and the caller takes it. */
export function compressed(response: Response, write: () => void): void {
  compress(response.req, response, write);
}
