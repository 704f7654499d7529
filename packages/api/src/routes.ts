import { QuernError } from '@quern/contract';
import type { Express, Request, Response } from 'express';
import { contextOf, type RequestContext } from './request-context.ts';

/** Answers one request; what it throws becomes an error answer. */
export type Handler = (
  request: Request,
  response: Response,
  context: RequestContext,
) => Promise<void> | void;

export interface Route {
  /** With parameters in braces, as OpenAPI writes them: `/v1/models/{model}`. */
  readonly path: string;
  readonly get?: Handler;
  readonly post?: Handler;
  readonly put?: Handler;
  readonly delete?: Handler;
}

const METHODS = ['get', 'post', 'put', 'delete'] as const;

/**
 * Adds a path with its methods. `HEAD` comes with `get`, `OPTIONS` says what there is, and any other
 * method is answered with 405.
 */
export function addRoute(app: Express, route: Route): void {
  const target = app.route(route.path.replaceAll(/\{(\w+)\}/g, ':$1'));
  for (const method of METHODS) {
    const handler = route[method];
    if (handler === undefined) continue;
    target[method]((request, response) => {
      const context = contextOf(response);
      context.route = route.path;
      return handler(request, response, context);
    });
  }
  const allowed = allowedMethods(route);
  target.all((request, response) => {
    contextOf(response).route = route.path;
    response.setHeader('Allow', allowed);
    if (request.method !== 'OPTIONS') throw methodNotAllowed(request.method, allowed);
    response.status(204).end();
  });
}

function allowedMethods(route: Route): string {
  const own = METHODS.filter((method) => route[method] !== undefined);
  const names = own.map((method) => method.toUpperCase());
  return [...(route.get === undefined ? [] : ['HEAD']), ...names, 'OPTIONS'].sort().join(', ');
}

function methodNotAllowed(method: string, allowed: string): QuernError {
  return new QuernError('METHOD_NOT_ALLOWED', `method: got ${method}, expected ${allowed}`);
}

/** A parameter that the route's path has. */
export function pathParameter(request: Request, name: string): string {
  return optionalParameter(request, name) ?? '';
}

/** A parameter that only some of a handler's paths have. */
export function optionalParameter(request: Request, name: string): string | undefined {
  const value = request.params[name];
  return typeof value === 'string' ? value : undefined;
}
