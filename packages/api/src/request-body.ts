import { isUtf8 } from 'node:buffer';
import { parseJson, QuernError } from '@quern/contract';
import { type Request, type RequestHandler, type Response, raw } from 'express';
import { invalidRequest } from './request-schema.ts';

/** The body of an infer request. */
export type InferBody =
  /** JSON, and behind it the binary elements, if a header says where the JSON ends. */
  | { readonly kind: 'described'; readonly json: unknown; readonly binary?: Uint8Array }
  /** Nothing but the elements of the only input. */
  | { readonly kind: 'raw'; readonly bytes: Uint8Array };

/** Reads the bodies of requests, also compressed ones (gzip, deflate, br). */
export interface BodyReader {
  readonly json: (request: Request, response: Response) => Promise<unknown>;
  /** The same where the body may be left out, and its type, as clients of the protocol do. */
  readonly optionalJson: (request: Request, response: Response) => Promise<unknown>;
  readonly infer: (request: Request, response: Response) => Promise<InferBody>;
}

/** Where the JSON of an infer request or response ends and the binary elements begin. */
export const JSON_LENGTH_HEADER = 'Inference-Header-Content-Length';

/** `application/json`, and what is JSON by its suffix. */
const JSON_TYPE = /^application\/(?:[\w.!#$&^+-]+\+)?json\s*(?:;|$)/i;
const CHARSET = /;\s*charset\s*=\s*"?([^\s;"]+)/i;

/**
 * Makes the reader of bodies. It throws `INVALID_REQUEST` for a missing body, `UNSUPPORTED_MEDIA_TYPE`
 * for another type, charset or compression, `PAYLOAD_TOO_LARGE` beyond the limit, which counts what
 * is unpacked, and `INVALID_JSON` for what is not UTF-8 or not JSON.
 */
export function bodyReader(limitBytes: number): BodyReader {
  // What may come in is decided here; the middleware only unpacks and collects bytes.
  const middleware = raw({ type: () => true, limit: limitBytes });
  const collect = async (request: Request, response: Response): Promise<Buffer> => {
    await runMiddleware(middleware, request, response);
    const body: unknown = request.body;
    if (!Buffer.isBuffer(body) || body.byteLength === 0) throw missingBody();
    return body;
  };
  return {
    json: async (request, response) => {
      assertHasBody(request);
      assertJsonType(request);
      return jsonFrom(await collect(request, response));
    },
    optionalJson: async (request, response) => {
      if (!hasBody(request)) return undefined;
      if (!isUntypedFromProgram(request)) assertJsonType(request);
      return jsonFrom(await collect(request, response));
    },
    infer: async (request, response) => {
      assertHasBody(request);
      const jsonBytes = jsonLength(request);
      if (jsonBytes === undefined) {
        if (!isUntypedFromProgram(request)) assertJsonType(request);
        return { kind: 'described', json: jsonFrom(await collect(request, response)) };
      }
      const body = await collect(request, response);
      return jsonBytes === 0 ? { kind: 'raw', bytes: body } : describedBody(body, jsonBytes);
    },
  };
}

/** What the header says; undefined without it. The header is no browser's without asking first. */
function jsonLength(request: Request): number | undefined {
  const value = request.get(JSON_LENGTH_HEADER);
  if (value === undefined) return undefined;
  if (/^\d{1,15}$/.test(value)) return Number(value);
  throw invalidRequest(
    JSON_LENGTH_HEADER,
    `got ${JSON.stringify(value.slice(0, 40))}, expected a number of bytes`,
  );
}

/**
 * Some clients of the protocol name no type for their JSON. That is fine, but not from a page: a
 * browser sends a body without a type to any site, and does not ask first.
 */
function isUntypedFromProgram({ headers }: Request): boolean {
  return headers['content-type'] === undefined && headers.origin === undefined;
}

function describedBody(body: Buffer, jsonBytes: number): InferBody {
  if (jsonBytes > body.byteLength) {
    throw invalidRequest(
      JSON_LENGTH_HEADER,
      `claims ${jsonBytes} bytes of JSON, but the body has ${body.byteLength}`,
    );
  }
  const json = jsonFrom(body.subarray(0, jsonBytes));
  // A plain view: a Buffer's `slice` does not copy.
  const { buffer, byteOffset, byteLength } = body.subarray(jsonBytes);
  return { kind: 'described', json, binary: new Uint8Array(buffer, byteOffset, byteLength) };
}

function jsonFrom(body: Buffer): unknown {
  if (!isUtf8(body)) throw new QuernError('INVALID_JSON', 'The body is not valid UTF-8.');
  return parseJson(body.toString('utf8'));
}

function hasBody({ headers }: Request): boolean {
  const length = headers['content-length'];
  const isChunked = headers['transfer-encoding'] !== undefined;
  return isChunked || (length !== undefined && Number(length) > 0);
}

function assertHasBody(request: Request): void {
  if (!hasBody(request)) throw missingBody();
}

function assertJsonType({ headers }: Request): void {
  const type = headers['content-type'];
  if (type === undefined || !JSON_TYPE.test(type)) {
    const got = type === undefined ? 'none' : JSON.stringify(type.slice(0, 100));
    throw unsupported(`Content-Type: got ${got}, expected application/json`);
  }
  const charset = CHARSET.exec(type)?.[1];
  if (charset !== undefined && !/^utf-?8$/i.test(charset)) {
    throw unsupported(`Content-Type: got charset ${charset.slice(0, 40)}, expected utf-8`);
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
