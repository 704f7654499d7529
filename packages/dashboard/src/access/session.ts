import cookieSession from 'cookie-session';
import type { Request, RequestHandler } from 'express';
import { z } from 'zod';
import { type Credentials, signingKey } from './credentials.ts';

const COOKIE_NAME = 'quern_dashboard';
const SESSION_MS = 12 * 3_600_000;

const sessionSchema = z.object({ user: z.string(), expiresAtMs: z.number() });

/**
 * Sessions in a signed cookie: nothing is stored here. The cookie goes over TLS alone when the request
 * came over TLS. Its own expiry is only the browser's business, so the signed text carries another.
 */
export class Sessions {
  /** Reads the cookie; goes before everything that asks who is there. */
  readonly middleware: RequestHandler;

  constructor(credentials: Credentials, secret: string | undefined) {
    this.middleware = cookieSession({
      name: COOKIE_NAME,
      keys: [signingKey(secret, credentials)],
      maxAge: SESSION_MS,
      httpOnly: true,
      sameSite: 'strict',
    });
  }

  start(request: Request, user: string): void {
    request.session = { user, expiresAtMs: Date.now() + SESSION_MS };
  }

  end(request: Request): void {
    request.session = null;
  }
}

/** Who is signed in; undefined for a visitor. */
export function operatorOf(request: Request): string | undefined {
  const session = sessionSchema.safeParse(request.session);
  if (!session.success || session.data.expiresAtMs <= Date.now()) return undefined;
  return session.data.user;
}
