import { QuernError, toQuernError } from '@quern/contract';
import type { Logger } from '@quern/service';
import type { ErrorRequestHandler, NextFunction, Request, Response } from 'express';
import type { ApiMetrics } from './api-metrics.ts';
import { sendJson } from './json-response.ts';
import { contextOf } from './request-context.ts';

/** How the middleware that collects bodies, and Express's router, name their faults. */
interface HttpFault {
  readonly type?: string;
  readonly status?: number;
}

const DEFAULT_RETRY_AFTER_SECONDS = 1;

/** For a path that no route has. */
export function pathNotFound(request: Request): void {
  throw new QuernError(
    'NOT_FOUND',
    `No such path: ${JSON.stringify(request.path.slice(0, 100))}. GET /openapi.json lists all of them.`,
  );
}

/** The last middleware: every fault becomes an error answer of the right form, and a log line. */
export function answerErrors(logger: Logger, metrics: ApiMetrics): ErrorRequestHandler {
  // Express knows it by its four parameters.
  return (thrown: unknown, request: Request, response: Response, _next: NextFunction): void => {
    const error = asQuernError(thrown);
    const { requestId, route, submission } = contextOf(response);
    if (submission !== undefined) {
      metrics.rejected.inc({ model: submission.model ?? '', code: error.code });
    }
    if (error.httpStatus >= 500) {
      const unexpected = error.code === 'INTERNAL' ? { err: thrown } : {};
      const level = error.code === 'INTERNAL' ? 'error' : 'warn';
      logger[level]({ requestId, route, code: error.code, ...unexpected }, error.message);
    }
    sendError(request, response, shown(error, requestId));
  };
}

/** Answers with an error: an object on `/v1`, a string on `/v2`. */
export function sendError(request: Request, response: Response, error: QuernError): void {
  const { httpStatus: status, code, message, details } = error;
  if (status === 429 || status === 503) {
    response.setHeader('Retry-After', String(retryAfterSeconds(details)));
  }
  const isProtocol = request.path === '/v2' || request.path.startsWith('/v2/');
  const body = isProtocol
    ? { error: `${code}: ${message}` }
    : { error: { code, message, ...(details !== undefined && { details: wireDetails(details) }) } };
  sendJson(response, status, body);
}

function retryAfterSeconds(details: QuernError['details']): number {
  const seconds = details?.['retryAfterSeconds'];
  return typeof seconds === 'number' ? seconds : DEFAULT_RETRY_AFTER_SECONDS;
}

/** Details are written in the code's manner; the wire has its own. */
function wireDetails(details: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const entries = Object.entries(details).map(([key, value]) => [
    key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
    value,
  ]);
  return Object.fromEntries(entries);
}

/** An unexpected fault tells outside only where to look. */
function shown(error: QuernError, requestId: string): QuernError {
  if (error.code !== 'INTERNAL') return error;
  return new QuernError(
    'INTERNAL',
    `An unexpected fault; the log has it under request ${requestId}.`,
  );
}

function asQuernError(thrown: unknown): QuernError {
  if (thrown instanceof QuernError || !isHttpFault(thrown)) return toQuernError(thrown);
  if (thrown.type === 'entity.too.large') {
    return new QuernError('PAYLOAD_TOO_LARGE', tooLargeMessage(thrown));
  }
  if (thrown.type === 'encoding.unsupported') {
    return new QuernError(
      'UNSUPPORTED_MEDIA_TYPE',
      'Content-Encoding: expected gzip, deflate, br or none',
    );
  }
  if (thrown.status !== undefined && thrown.status < 500) {
    return new QuernError('INVALID_REQUEST', clientFaultMessage(thrown), { cause: thrown });
  }
  return toQuernError(thrown);
}

function isHttpFault(thrown: unknown): thrown is Error & HttpFault {
  return thrown instanceof Error && 'status' in thrown && typeof thrown.status === 'number';
}

function tooLargeMessage(fault: object): string {
  const limit = 'limit' in fault ? fault.limit : undefined;
  const got = 'length' in fault && typeof fault.length === 'number' ? `${fault.length}` : 'more';
  return `body: got ${got} bytes, expected at most ${limit} (QUERN_BODY_LIMIT_BYTES)`;
}

function clientFaultMessage(fault: Error): string {
  // The router refuses escapes such as %ff before any route sees them.
  if (fault instanceof URIError) return 'path: got a malformed percent escape, expected UTF-8';
  return `The request could not be read: ${fault.message.slice(0, 200)}`;
}
