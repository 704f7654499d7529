import { createHash, timingSafeEqual } from 'node:crypto';
import { QuernError } from '@quern/contract';
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { contextOf } from './request-context.ts';

/** Probes come from machines that hold no key, and tell nothing. */
const OPEN_PATHS = new Set(['/v2/health/live', '/v2/health/ready']);

/** Pages that a browser opens by itself: it cannot send a bearer key, but it can ask for a password. */
const BROWSER_PATH = /^\/(?:docs(?:\/.*)?|openapi\.json)$/;

const BEARER = /^Bearer +(\S+) *$/i;
const BASIC = /^Basic +([A-Za-z0-9+/=]+) *$/i;

interface KnownKey {
  readonly digest: Buffer;
  readonly caller: string;
  readonly isAdministrators: boolean;
}

export interface AuthenticationKeys {
  /** Empty: everybody may make predictions. */
  readonly apiKeys: readonly string[];
  /** They open everything that an API key does, and what is for administrators. */
  readonly adminKeys: readonly string[];
}

/**
 * Asks for one of the keys as `Authorization: Bearer KEY` on every path but the health checks. The
 * documentation also takes the key as the password of HTTP Basic, with any user name. Where there are no
 * keys at all, everybody may do everything.
 */
export function authenticate({ apiKeys, adminKeys }: AuthenticationKeys): RequestHandler {
  const known = [
    ...adminKeys.map((key) => knownKey(key, true)),
    ...apiKeys.map((key) => knownKey(key, false)),
  ];
  return (request: Request, response: Response, next: NextFunction): void => {
    const context = contextOf(response);
    if (known.length === 0 || OPEN_PATHS.has(request.path)) {
      if (known.length === 0) context.administration = 'allowed';
      next();
      return;
    }
    const isBrowserPath = BROWSER_PATH.test(request.path);
    const found = findKey(known, keyFrom(request.get('authorization'), isBrowserPath));
    if (found === undefined && apiKeys.length > 0) {
      response.setHeader('WWW-Authenticate', isBrowserPath ? 'Basic realm="Quern"' : 'Bearer');
      throw unauthenticated(request.get('authorization'));
    }
    if (found !== undefined) {
      const refusal = adminKeys.length === 0 ? 'no-keys-set' : 'wrong-key';
      context.caller = found.caller;
      context.administration = found.isAdministrators ? 'allowed' : refusal;
    } else if (request.get('authorization') !== undefined) {
      context.administration = 'wrong-key';
    }
    next();
  };
}

function knownKey(key: string, isAdministrators: boolean): KnownKey {
  const digest = digestOf(key);
  return { digest, caller: digest.toString('hex').slice(0, 16), isAdministrators };
}

function keyFrom(header: string | undefined, isBasicAllowed: boolean): string | undefined {
  if (header === undefined) return undefined;
  const bearer = BEARER.exec(header)?.[1];
  if (bearer !== undefined || !isBasicAllowed) return bearer;
  const basic = BASIC.exec(header)?.[1];
  if (basic === undefined) return undefined;
  const pair = Buffer.from(basic, 'base64').toString();
  return pair.slice(pair.indexOf(':') + 1);
}

/** Every key is compared, over digests of equal length, so the time tells nothing. */
function findKey(known: readonly KnownKey[], key: string | undefined): KnownKey | undefined {
  if (key === undefined) return undefined;
  const digest = digestOf(key);
  return known.filter((candidate) => timingSafeEqual(candidate.digest, digest))[0];
}

function digestOf(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}

function unauthenticated(header: string | undefined): QuernError {
  const got = header === undefined ? 'no Authorization header' : 'an unknown key';
  return new QuernError(
    'UNAUTHENTICATED',
    `Authorization: got ${got}, expected "Bearer KEY" with one of the keys in QUERN_API_KEYS`,
  );
}
