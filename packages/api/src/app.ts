import type { Bulk } from '@quern/bulk';
import type { EgressRules } from '@quern/egress';
import type { PredictionQueue } from '@quern/queue';
import type { Logger, Registry } from '@quern/service';
import express, { type Express } from 'express';
import helmet from 'helmet';
import { logAccess } from './access-log.ts';
import { ApiMetrics } from './api-metrics.ts';
import { authenticate } from './authentication.ts';
import { fileRoutes } from './bulk/file-routes.ts';
import { crossOrigin } from './cross-origin.ts';
import { docsRoutes } from './docs-routes.ts';
import { answerErrors, pathNotFound } from './error-responses.ts';
import { modelRoutes } from './model-routes.ts';
import { predictionRoutes } from './prediction-routes.ts';
import { protocolRoutes } from './protocol-routes.ts';
import { quarantineRoutes } from './quarantine-routes.ts';
import { repositoryRoutes } from './repository-routes.ts';
import { bodyReader } from './request-body.ts';
import { openContext } from './request-context.ts';
import type { RouteDeps } from './route-deps.ts';
import { addRoute, type Route } from './routes.ts';
import { statisticsRoutes } from './statistics-routes.ts';
import { webhookRoutes } from './webhook-routes.ts';
import { endWith } from './whole-body.ts';

export interface AppDeps {
  readonly queue: PredictionQueue;
  /** Files. */
  readonly bulk: Bulk;
  readonly logger: Logger;
  readonly registry: Registry;
  /** Empty: no key is asked for. */
  readonly apiKeys: readonly string[];
  /** Keys that also open what is for administrators; default none. */
  readonly adminKeys?: readonly string[] | undefined;
  /** Origins whose pages may call from a browser, or `*`; empty or absent: none. */
  readonly corsOrigins?: readonly string[];
  readonly bodyLimitBytes: number;
  /** How long `/v2` infer waits at most. */
  readonly syncWaitMs: number;
  /** Whether a prediction ends when its only caller hangs up before it has started. Default true. */
  readonly cancelOnHangUp?: boolean | undefined;
  /** Base of links in answers; undefined: what the client called. */
  readonly publicUrl?: string | undefined;
  /** Which addresses webhooks may name. Default: public ones. */
  readonly egressRules?: EgressRules | undefined;
  /** What webhooks are signed with, the newest first. Default: the secret that lies in Redis. */
  readonly webhookSecrets?: readonly string[] | undefined;
  /** Aborted when the process begins to stop: waits end then, and it is no longer ready. */
  readonly stopping: AbortSignal;
}

const PUBLIC_ADDRESSES: EgressRules = { allow: [], httpsOnly: false };

/** The HTTP API as an Express application; it listens nowhere by itself. */
export function buildApp(deps: AppDeps): Express {
  const { queue, logger } = deps;
  const metrics = new ApiMetrics(deps.registry, queue);
  queue.onExpired((model, predictions) => metrics.expired.inc({ model }, predictions));
  const routeDeps: RouteDeps = {
    queue,
    metrics,
    bodies: bodyReader(deps.bodyLimitBytes),
    syncWaitMs: deps.syncWaitMs,
    cancelOnHangUp: deps.cancelOnHangUp ?? true,
    publicUrl: deps.publicUrl,
    egressRules: deps.egressRules ?? PUBLIC_ADDRESSES,
    webhookSecrets: deps.webhookSecrets ?? [],
    stopping: deps.stopping,
  };
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.enable('case sensitive routing');
  app.use(openContext, metrics.observe(), logAccess(logger), securityHeaders());
  // Before the keys: browsers ask whether they may send one without sending it.
  if (deps.corsOrigins !== undefined && deps.corsOrigins.length > 0) {
    app.use(crossOrigin(deps.corsOrigins));
  }
  const { apiKeys, adminKeys = [] } = deps;
  app.use(authenticate({ apiKeys, adminKeys }));
  const routes = [
    ...predictionRoutes(routeDeps),
    ...modelRoutes(routeDeps),
    ...quarantineRoutes(routeDeps),
    ...statisticsRoutes(routeDeps),
    ...webhookRoutes(routeDeps),
    ...fileRoutes({ ...deps, corsOrigins: deps.corsOrigins ?? [] }),
    ...protocolRoutes(routeDeps),
    ...repositoryRoutes(routeDeps),
    ...docsRoutes(),
    metricsRoute(metrics),
  ];
  for (const route of routes) addRoute(app, route);
  app.use(pathNotFound);
  app.use(answerErrors(logger, metrics));
  return app;
}

/** For answers that no browser should do anything with; `/docs` sets a policy of its own. */
function securityHeaders() {
  return helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
    },
    // Whether there is TLS is for the proxy in front to say.
    strictTransportSecurity: false,
    // For pages, and for browsers of long ago; each would cost every answer some bytes and time.
    crossOriginOpenerPolicy: false,
    originAgentCluster: false,
    xDnsPrefetchControl: false,
    xDownloadOptions: false,
    xPermittedCrossDomainPolicies: false,
    xXssProtection: false,
  });
}

function metricsRoute(metrics: ApiMetrics): Route {
  return {
    path: '/metrics',
    get: async (_request, response) => {
      response.setHeader('Content-Type', metrics.contentType);
      endWith(response, await metrics.text());
    },
  };
}
