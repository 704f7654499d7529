import { isLoopback } from '@quern/service';
import type { Request, RequestHandler } from 'express';
import { refuse } from './refusal.ts';
import { isAddressedToLoopback, isSameOrigin } from './request-origin.ts';
import { operatorOf } from './session.ts';

const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD']);

export const SIGN_IN_PATH = '/sign-in';

/** On a loopback address: takes only requests that name one, against DNS rebinding. */
export function requireLoopbackName(host: string): RequestHandler {
  if (!isLoopback(host)) return (_request, _response, next) => next();
  return (request, response, next) => {
    if (isAddressedToLoopback(request)) {
      next();
      return;
    }
    refuse(
      response,
      'FORBIDDEN',
      `The Host header is ${JSON.stringify((request.headers.host ?? '').slice(0, 100))}, but this dashboard ` +
        'listens on loopback and answers to localhost, 127.0.0.1 and [::1] alone. To serve it under another ' +
        'name, set QUERN_HOST, QUERN_DASHBOARD_USER and QUERN_DASHBOARD_PASSWORD.',
    );
  };
}

/** Takes what changes something only from our own pages, against forged requests. */
export const requireSameOrigin: RequestHandler = (request, response, next) => {
  if (SAFE_METHODS.has(request.method) || isSameOrigin(request)) next();
  else refuse(response, 'FORBIDDEN', 'The request comes from a page of another site.');
};

/** Sends visitors to the sign-in page; their scripts get 401. */
export const requireOperator: RequestHandler = (request, response, next) => {
  if (operatorOf(request) !== undefined) next();
  else if (isPageRequest(request)) {
    response.redirect(303, `${SIGN_IN_PATH}?next=${encodeURIComponent(request.originalUrl)}`);
  } else {
    refuse(response, 'UNAUTHENTICATED', `Nobody is signed in. Sign in at ${SIGN_IN_PATH}.`);
  }
};

/** Lets visitors look, but act on nothing. */
export const requireOperatorToChange: RequestHandler = (request, response, next) => {
  if (SAFE_METHODS.has(request.method) || operatorOf(request) !== undefined) next();
  else {
    refuse(
      response,
      'FORBIDDEN',
      `The board is read-only. To act on jobs, sign in at ${SIGN_IN_PATH}.`,
    );
  }
};

function isPageRequest(request: Request): boolean {
  return request.method === 'GET' && request.accepts(['json', 'html']) === 'html';
}
