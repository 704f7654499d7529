import { randomUUID } from 'node:crypto';
import type { NextFunction, Request, Response } from 'express';

/**
 * What the caller may do beyond predictions: `allowed` with an administrator's key, or where no keys
 * are set at all (the API can then only be reached from this machine).
 */
export type Administration = 'allowed' | 'wrong-key' | 'no-key' | 'no-keys-set';

/** What is known of one request beyond its HTTP. */
export interface RequestContext {
  /** From `X-Request-Id`, or made here; it stands in the answer and in the log. */
  readonly requestId: string;
  readonly startedAtMs: number;
  /** The template of the route that matched, for metrics and the log. */
  route: string;
  /** Names the API key in use without telling it. */
  caller: string;
  administration: Administration;
  /** Set while the request may still be refused as a prediction: the model's name, once it is known. */
  submission?: { model?: string } | undefined;
}

export const UNMATCHED_ROUTE = 'unmatched';
export const ANONYMOUS = 'anonymous';

/** What may go into a log line and a header as it is. */
const REQUEST_ID = /^[\w.:/+=~-]{1,128}$/;

const contexts = new WeakMap<Response, RequestContext>();

/** The first middleware: gives each request its context and id. */
export function openContext(request: Request, response: Response, next: NextFunction): void {
  const given = request.get('x-request-id');
  const requestId = given !== undefined && REQUEST_ID.test(given) ? given : randomUUID();
  contexts.set(response, {
    requestId,
    startedAtMs: performance.now(),
    route: UNMATCHED_ROUTE,
    caller: ANONYMOUS,
    administration: 'no-key',
  });
  response.setHeader('X-Request-Id', requestId);
  next();
}

/** The context of a response that came through `openContext`. */
export function contextOf(response: Response): RequestContext {
  const context = contexts.get(response);
  if (context === undefined)
    throw new Error('The response has no context: openContext is not in use');
  return context;
}
