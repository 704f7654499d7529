import express, { type Request, type Response, Router } from 'express';
import { ipKeyGenerator, MemoryStore, rateLimit } from 'express-rate-limit';
import { z } from 'zod';
import { areCredentials, type Credentials } from './credentials.ts';
import { SIGN_IN_PATH } from './guards.ts';
import { operatorOf, type Sessions } from './session.ts';
import { renderSignInPage, type SignInView } from './sign-in-page.ts';

/** Failed attempts that one address has within the window. */
const MAX_FAILURES = 10;
const WINDOW_MS = 15 * 60_000;

const formSchema = z.object({
  user: z.string().max(1000),
  password: z.string().max(1000),
  next: z.string().catch('/'),
});

export interface SignInDeps {
  readonly credentials: Credentials;
  readonly sessions: Sessions;
  /** Told of attempts that failed, for the log. */
  readonly onFailure: (address: string) => void;
}

/** The routes to sign in and out, and how to end their timer. */
export function signInRoutes(deps: SignInDeps): { router: Router; close: () => void } {
  const store = new MemoryStore();
  const limitFailures = rateLimit({
    windowMs: WINDOW_MS,
    limit: MAX_FAILURES,
    store,
    skipSuccessfulRequests: true,
    // The connection's own address: what a header claims could be new at every attempt.
    keyGenerator: (request) => ipKeyGenerator(addressOf(request)),
    standardHeaders: 'draft-8',
    legacyHeaders: false,
    handler: (_request, response) => {
      const problem = `Too many failed attempts. Try again in ${WINDOW_MS / 60_000} minutes.`;
      sendPage(response, 429, { kind: 'form', next: '/', problem });
    },
  });
  const router = Router();
  router.get(SIGN_IN_PATH, (request, response) => showSignIn(request, response));
  router.post(
    SIGN_IN_PATH,
    limitFailures,
    express.urlencoded({ extended: false, limit: '8kb' }),
    (request, response) => signIn(deps, request, response),
  );
  router.post('/sign-out', (request, response) => {
    deps.sessions.end(request);
    response.redirect(303, '/');
  });
  return { router, close: () => store.shutdown() };
}

/** The routes where no account is configured: a page that says how to get one. */
export function signInUnavailable(): Router {
  const router = Router();
  router.get(SIGN_IN_PATH, (_request, response) => {
    sendPage(response, 200, { kind: 'unavailable' });
  });
  return router;
}

function showSignIn(request: Request, response: Response): void {
  const user = operatorOf(request);
  const { next } = request.query;
  const form = { kind: 'form', next: localPath(typeof next === 'string' ? next : '/') } as const;
  sendPage(response, 200, user === undefined ? form : { kind: 'signed-in', user });
}

function signIn(deps: SignInDeps, request: Request, response: Response): void {
  const form = formSchema.safeParse(request.body);
  if (form.success && areCredentials(deps.credentials, form.data)) {
    deps.sessions.start(request, form.data.user);
    response.redirect(303, localPath(form.data.next));
    return;
  }
  deps.onFailure(addressOf(request));
  const next = form.success ? localPath(form.data.next) : '/';
  sendPage(response, 401, { kind: 'form', next, problem: 'User or password is wrong.' });
}

function sendPage(response: Response, status: number, view: SignInView): void {
  response
    .status(status)
    .type('html')
    .set('cache-control', 'no-store')
    .send(renderSignInPage(view));
}

function addressOf(request: Request): string {
  return request.socket.remoteAddress ?? 'unknown';
}

/** A path of ours as it is; the board for anything that leads, or could be read as leading, elsewhere. */
function localPath(path: string): string {
  const base = 'http://dashboard.invalid';
  if (!path.startsWith('/') || !URL.canParse(path, base)) return '/';
  const url = new URL(path, base);
  return url.origin === base ? `${url.pathname}${url.search}` : '/';
}
