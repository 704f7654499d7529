import { QuernError } from '@quern/contract';
import type { Request, Response } from 'express';
import { contextOf } from './request-context.ts';
import type { Handler } from './routes.ts';

/**
 * A handler for administrators alone: what it does touches other people's predictions.
 * @throws QuernError `FORBIDDEN` or `UNAUTHENTICATED`, before the handler reads anything
 */
export function forAdministrators(handler: Handler): Handler {
  return (request, response, context) => {
    assertAdministrator(request, response);
    return handler(request, response, context);
  };
}

function assertAdministrator(request: Request, response: Response): void {
  const { administration } = contextOf(response);
  if (administration === 'no-key') {
    response.setHeader('WWW-Authenticate', 'Bearer');
    throw new QuernError(
      'UNAUTHENTICATED',
      'Authorization: got none, expected "Bearer KEY" with one of the keys in QUERN_ADMIN_KEYS',
    );
  }
  if (administration !== 'allowed') throw forbidden(administration);
  // Without keys any page in a browser on this machine could ask; its origin tells it apart.
  if (request.get('authorization') === undefined && isForeignPage(request)) {
    throw new QuernError(
      'FORBIDDEN',
      'Origin: pages of other origins may not administer models; set QUERN_ADMIN_KEYS and send one of them',
    );
  }
}

function forbidden(administration: 'wrong-key' | 'no-keys-set'): QuernError {
  const expected =
    administration === 'wrong-key'
      ? 'got a key that is not an administrator’s, expected one of those in QUERN_ADMIN_KEYS'
      : 'this is for administrators, and the API has no keys for them: set QUERN_ADMIN_KEYS and start it again';
  return new QuernError('FORBIDDEN', `Authorization: ${expected}`);
}

function isForeignPage({ headers }: Request): boolean {
  const { origin, host } = headers;
  return origin !== undefined && origin.replace(/^https?:\/\//, '') !== host;
}
