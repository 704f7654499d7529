import { toQuernError } from '@quern/contract';
import type { PredictionQueue } from '@quern/queue';
import { isLoopback, type Logger } from '@quern/service';
import express, {
  type ErrorRequestHandler,
  type Express,
  type RequestHandler,
  Router,
} from 'express';
import helmet from 'helmet';
import type { Credentials } from './access/credentials.ts';
import {
  requireLoopbackName,
  requireOperator,
  requireOperatorToChange,
  requireSameOrigin,
} from './access/guards.ts';
import { refuse } from './access/refusal.ts';
import { operatorOf, Sessions } from './access/session.ts';
import { signInRoutes, signInUnavailable } from './access/sign-in-routes.ts';
import { deliveryRoutes } from './board/delivery-routes.ts';
import { hiddenActions } from './board/hidden-actions.ts';
import { ModelBoards } from './board/model-boards.ts';
import { operatorRoutes } from './board/operator-routes.ts';
import { healthRoutes } from './health-routes.ts';

export interface DashboardDeps {
  readonly queue: PredictionQueue;
  /** The address that it listens on; it decides what visitors may see. */
  readonly host: string;
  /** Absent: nobody can sign in, and the board is read-only. */
  readonly credentials?: Credentials;
  /** Signs session cookies; absent for a random one. */
  readonly secret?: string;
  /** Where people reach the API, for links to its documentation. */
  readonly apiUrl?: string;
  readonly logger: Logger;
}

export interface DashboardApp {
  readonly app: Express;
  /** Lets go of the queues and timers; the PredictionQueue stays its owner's. */
  readonly close: () => Promise<void>;
}

/**
 * The dashboard, apart from listening. On loopback visitors may look, and operators who have signed in
 * may act; on any other address everything but health and sign-in is for operators.
 */
export function buildApp(deps: DashboardDeps): DashboardApp {
  const { queue, host, apiUrl, logger } = deps;
  const boards = new ModelBoards({
    queue,
    onError: (error) => logger.debug({ err: error }, 'A queue of the board lost its connection'),
    ...(apiUrl !== undefined && { apiUrl }),
  });
  const app = express();
  // For the scheme alone (a cookie set over TLS stays there); addresses are read off the connection.
  app.set('trust proxy', true);
  app.disable('x-powered-by');
  app.use(securityHeaders(), requireLoopbackName(host), healthRoutes(queue), requireSameOrigin);
  const closeSignIn = addSignIn(app, deps);
  app.use(isLoopback(host) ? requireOperatorToChange : requireOperator, hiddenActions());
  app.use('/api', requireRedis(queue));
  const operations = Router().use(
    deliveryRoutes(queue),
    operatorRoutes({ queue, queueOf: (model) => boards.queueOf(model) }),
  );
  app.use((request, response, next) => {
    if (operatorOf(request) === undefined) boards.visitors(request, response, next);
    else operations(request, response, next);
  });
  app.use(boards.operators);
  app.use((_request, response) => refuse(response, 'NOT_FOUND', 'There is no such page.'));
  app.use(answerErrors(logger));
  return {
    app,
    close: async () => {
      closeSignIn();
      await boards.close();
    },
  };
}

/** Adds the sign-in; returns how to end its timer. */
function addSignIn(app: Express, { credentials, secret, logger }: DashboardDeps): () => void {
  if (credentials === undefined) {
    app.use(signInUnavailable());
    return () => {};
  }
  const sessions = new Sessions(credentials, secret);
  const onFailure = (address: string): void => {
    logger.warn({ address }, 'A sign-in to the dashboard failed');
  };
  const { router, close } = signInRoutes({ credentials, sessions, onFailure });
  app.use(sessions.middleware, router);
  return close;
}

/** During an outage the board's calls would fail one by one with the driver's words. */
function requireRedis(queue: PredictionQueue): RequestHandler {
  return (_request, response, next) => {
    if (queue.redis.status === 'ready') next();
    else {
      const message = 'Redis cannot be reached. The board comes back by itself when it can.';
      refuse(response, 'REDIS_UNAVAILABLE', message);
    }
  };
}

function securityHeaders(): ReturnType<typeof helmet> {
  return helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        'default-src': ["'none'"],
        'script-src': ["'self'"],
        // The board sets styles on its elements.
        'style-src': ["'self'", "'unsafe-inline'"],
        'img-src': ["'self'", 'data:'],
        'font-src': ["'self'"],
        'connect-src': ["'self'"],
        'worker-src': ["'self'"],
        'base-uri': ["'self'"],
        'form-action': ["'self'"],
        'frame-ancestors': ["'none'"],
      },
    },
    // Without a referrer browsers call the origin of our own form "null".
    referrerPolicy: { policy: 'same-origin' },
    // These two mean nothing on plain HTTP, and browsers complain of them there.
    crossOriginOpenerPolicy: false,
    originAgentCluster: false,
    // Whether a name is to be reached over TLS alone is for the proxy that ends TLS to say.
    strictTransportSecurity: false,
  });
}

function answerErrors(logger: Logger): ErrorRequestHandler {
  return (error, request, response, next) => {
    if (response.headersSent) {
      next(error);
      return;
    }
    const status = statusOf(error);
    if (status !== undefined && status < 500) {
      const code = status === 413 ? 'PAYLOAD_TOO_LARGE' : 'INVALID_REQUEST';
      refuse(response, code, 'The request cannot be read.');
      return;
    }
    const fault = toQuernError(error);
    if (fault.code !== 'INTERNAL') {
      refuse(response, fault.code, fault.message);
      return;
    }
    logger.error({ err: error, path: request.path }, 'The dashboard could not answer');
    refuse(response, 'INTERNAL', 'An unexpected fault; the log of the dashboard says more.');
  };
}

/** The status that Express and its parsers put on an error for a bad request. */
function statusOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('status' in error)) return undefined;
  return typeof error.status === 'number' ? error.status : undefined;
}
