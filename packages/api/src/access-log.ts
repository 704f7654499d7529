import type { Logger } from '@quern/service';
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { contextOf } from './request-context.ts';

/** Logs each request at debug when its answer has ended; the query may hold secrets and stays out. */
export function logAccess(logger: Logger): RequestHandler {
  return (request: Request, response: Response, next: NextFunction): void => {
    if (logger.isLevelEnabled('debug')) {
      // Express rewrites `path` while it routes.
      const { method, path } = request;
      response.once('close', () => {
        const { requestId, route, startedAtMs, caller } = contextOf(response);
        const durationMs = Math.round(performance.now() - startedAtMs);
        const status = response.writableFinished ? response.statusCode : 'client gone';
        logger.debug({ requestId, method, path, route, status, durationMs, caller }, 'request');
      });
    }
    next();
  };
}
