import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Bulk, type ByteRange, FILE_PURPOSES, fileNotFound } from '@quern/bulk';
import { QuernError, show } from '@quern/contract';
import { redisFault } from '@quern/queue';
import type { Request, Response } from 'express';
import { z } from 'zod';
import { sendJson } from '../json-response.ts';
import { baseUrlOf } from '../public-url.ts';
import { parseRequest } from '../request-schema.ts';
import { type Handler, pathParameter, type Route } from '../routes.ts';
import { fileToWire } from './file-to-wire.ts';
import { listQuerySchema, listToWire } from './list-to-wire.ts';
import { receiveUpload } from './upload-form.ts';

export interface FileRouteDeps {
  readonly bulk: Bulk;
  readonly corsOrigins: readonly string[];
}

export const listFilesQuerySchema = listQuerySchema.extend({
  purpose: z.enum(FILE_PURPOSES).optional(),
  order: z.enum(['asc', 'desc']).default('desc').meta({ description: 'By creation.' }),
});

/** The routes of files, after OpenAI's. */
export function fileRoutes(deps: FileRouteDeps): Route[] {
  const { bulk } = deps;
  return [
    { path: '/v1/files', get: guarded(listFiles(bulk)), post: guarded(upload(deps)) },
    {
      path: '/v1/files/{id}',
      get: guarded(getFile(bulk)),
      delete: guarded(deleteFile(bulk)),
    },
    { path: '/v1/files/{id}/content', get: guarded(readFile(bulk)) },
  ];
}

/** A failure of Redis' is said to be one. */
export function guarded(handler: Handler): Handler {
  return async (request, response, context) => {
    try {
      await handler(request, response, context);
    } catch (error) {
      throw redisFault(error);
    }
  };
}

function upload({ bulk, corsOrigins }: FileRouteDeps): Handler {
  return async (request, response) => {
    assertFromOurs(request, corsOrigins);
    sendJson(response, 200, fileToWire(await receiveUpload(request, bulk)));
  };
}

/**
 * A browser sends a form to any site and does not ask first, unlike JSON: a page of elsewhere must not
 * fill the store of a server that needs no key.
 */
function assertFromOurs(request: Request, corsOrigins: readonly string[]): void {
  const { origin } = request.headers;
  if (origin === undefined || corsOrigins.includes('*') || corsOrigins.includes(origin)) return;
  if (origin === baseUrlOf(request, undefined)) return;
  throw new QuernError(
    'FORBIDDEN',
    `Origin: got ${show(origin)}, which may not upload from a browser (QUERN_CORS_ORIGINS)`,
  );
}

function listFiles({ files }: Bulk): Handler {
  return async (request, response) => {
    const query = parseRequest(listFilesQuerySchema, request.query, 'query');
    const { after, purpose, limit, order } = query;
    const { items, hasMore } = await files.catalogue.list({
      limit,
      order,
      ...(after !== undefined && { after }),
      ...(purpose !== undefined && { purpose }),
    });
    sendJson(response, 200, listToWire(items.map(fileToWire), hasMore));
  };
}

function getFile({ files }: Bulk): Handler {
  return async (request, response) => {
    const file = await files.catalogue.get(pathParameter(request, 'id'));
    sendJson(response, 200, fileToWire(file));
  };
}

function deleteFile({ files }: Bulk): Handler {
  return async (request, response) => {
    const { id } = await files.catalogue.get(pathParameter(request, 'id'));
    if (!(await files.remove(id))) throw fileNotFound(id);
    sendJson(response, 200, { id, object: 'file', deleted: true });
  };
}

function readFile({ files }: Bulk): Handler {
  return async (request, response) => {
    const { id, bytes } = await files.catalogue.get(pathParameter(request, 'id'));
    const range = rangeOf(request, response, bytes);
    response.setHeader('Content-Type', 'application/jsonl');
    response.setHeader('Accept-Ranges', 'bytes');
    if (range !== undefined) {
      const { first, last } = range;
      response.statusCode = 206;
      response.setHeader('Content-Range', `bytes ${first}-${last}/${bytes}`);
      // A range is one of the bytes as they are: compressing is not for anybody on the way.
      response.setHeader('Cache-Control', 'no-transform');
    }
    const length = range === undefined ? bytes : range.last - range.first + 1;
    response.setHeader('Content-Length', length);
    if (request.method === 'HEAD') {
      response.end();
      return;
    }
    await sendBytes(response, files.read(id, range));
  };
}

/** A reader that hangs up is no fault of anybody's. */
async function sendBytes(response: Response, content: AsyncIterable<Uint8Array>): Promise<void> {
  try {
    await pipeline(Readable.from(content, { objectMode: false }), response);
  } catch (error) {
    if (!response.destroyed) throw error;
  }
}

/**
 * The range that is asked for; undefined for the whole, also if several are.
 * @throws QuernError `RANGE_NOT_SATISFIABLE`
 */
function rangeOf(request: Request, response: Response, bytes: number): ByteRange | undefined {
  const ranges = request.range(bytes, { combine: true });
  if (ranges === undefined || ranges === -2) return undefined;
  if (ranges === -1) {
    response.setHeader('Content-Range', `bytes */${bytes}`);
    throw new QuernError(
      'RANGE_NOT_SATISFIABLE',
      `Range: got ${show(request.get('range'))}, but the file has ${bytes} bytes`,
    );
  }
  const [range, ...others] = ranges;
  if (range === undefined || others.length > 0 || ranges.type !== 'bytes') return undefined;
  return { first: range.start, last: range.end };
}
