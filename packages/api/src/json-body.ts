import { isUtf8 } from 'node:buffer';
import { parseJson, QuernError } from '@quern/contract';
import { type Request, type RequestHandler, type Response, raw } from 'express';

/** Reads a request's body as JSON. */
export type ReadJson = (request: Request, response: Response) => Promise<unknown>;

/** `application/json`, and what is JSON by its suffix. */
const JSON_TYPE = /^application\/(?:[\w.!#$&^+-]+\+)?json\s*(?:;|$)/i;
const CHARSET = /;\s*charset\s*=\s*"?([^\s;"]+)/i;

/**
 * Makes the reader of JSON bodies. It throws `INVALID_REQUEST` for a missing body,
 * `UNSUPPORTED_MEDIA_TYPE` for another type, charset or a compressed body, `PAYLOAD_TOO_LARGE` beyond
 * the limit and `INVALID_JSON` for what is not UTF-8 or not JSON.
 */
export function jsonBodyReader(limitBytes: number): ReadJson {
  // What may come in is decided here; the middleware only collects bytes.
  const collect = raw({ type: () => true, limit: limitBytes, inflate: false });
  return async (request, response) => {
    assertJsonBody(request);
    await runMiddleware(collect, request, response);
    const body: unknown = request.body;
    if (!Buffer.isBuffer(body) || body.byteLength === 0) throw missingBody();
    if (!isUtf8(body)) throw new QuernError('INVALID_JSON', 'The body is not valid UTF-8.');
    return parseJson(body.toString('utf8'));
  };
}

function assertJsonBody(request: Request): void {
  const length = request.headers['content-length'];
  const isChunked = request.headers['transfer-encoding'] !== undefined;
  if (!isChunked && (length === undefined || Number(length) === 0)) throw missingBody();
  const type = request.headers['content-type'];
  if (type === undefined || !JSON_TYPE.test(type)) {
    const got = type === undefined ? 'none' : JSON.stringify(type.slice(0, 100));
    throw unsupported(`Content-Type: got ${got}, expected application/json`);
  }
  const charset = CHARSET.exec(type)?.[1];
  if (charset !== undefined && !/^utf-?8$/i.test(charset)) {
    throw unsupported(`Content-Type: got charset ${charset.slice(0, 40)}, expected utf-8`);
  }
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    throw unsupported(
      `Content-Encoding: got ${encoding.slice(0, 40)}, expected an uncompressed body`,
    );
  }
}

function runMiddleware(
  middleware: RequestHandler,
  request: Request,
  response: Response,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const next = (error?: unknown): void => (error === undefined ? resolve() : reject(error));
    void middleware(request, response, next);
  });
}

function missingBody(): QuernError {
  return new QuernError('INVALID_REQUEST', 'body: got nothing, expected a JSON object', {
    details: { path: 'body' },
  });
}

function unsupported(message: string): QuernError {
  return new QuernError('UNSUPPORTED_MEDIA_TYPE', message);
}
