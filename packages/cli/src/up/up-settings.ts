import { isIPv6 } from 'node:net';
import { apiSettings } from '@quern/api';
import { readDashboardSettings } from '@quern/dashboard';
import { assertGuarded, readSettings } from '@quern/service';
import { webhooksSettings } from '@quern/webhooks';
import { workerSettings } from '@quern/worker';

/** What `up` itself needs of the environment that its services read. */
export interface UpSettings {
  /** Undefined: a private Redis. */
  readonly redisUrl: string | undefined;
  readonly redisServer: string | undefined;
  readonly host: string;
  readonly workerHost: string;
  readonly webhooksHost: string;
  readonly ports: Readonly<Record<'api' | 'dashboard' | 'worker' | 'webhooks', number>>;
  /** For its own calls. */
  readonly apiKey: string | undefined;
  readonly models: string;
  readonly shutdownGraceMs: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads every service's settings before anything is started, so that a mistake is told once and at
 * once.
 * @throws QuernError `CONFIG_INVALID` that names each variable
 */
export function readUpSettings(env: Environment): UpSettings {
  const api = readSettings(apiSettings, env);
  const worker = readSettings(workerSettings, env);
  const webhooks = readSettings(webhooksSettings, env);
  assertGuarded(api.host, api.apiKeys.length > 0, 'QUERN_API_KEYS');
  const dashboard = readDashboardSettings(env);
  return {
    redisUrl: isSet(env['QUERN_REDIS_URL']) ? api.redisUrl : undefined,
    redisServer: isSet(env['QUERN_REDIS_SERVER']) ? env['QUERN_REDIS_SERVER'] : undefined,
    host: api.host,
    workerHost: worker.workerHost,
    webhooksHost: webhooks.webhooksHost,
    ports: {
      api: api.port,
      dashboard: dashboard.port,
      worker: worker.port,
      webhooks: webhooks.port,
    },
    apiKey: api.apiKeys[0],
    models: worker.models,
    shutdownGraceMs: worker.shutdownGraceMs,
  };
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== '';
}

const ANY_ADDRESS: ReadonlySet<string> = new Set(['0.0.0.0', '::']);

/** Where this machine reaches a service that listens on a host and port. */
export function localUrl(host: string, port: number): string {
  if (ANY_ADDRESS.has(host)) return `http://127.0.0.1:${port}`;
  return `http://${isIPv6(host) ? `[${host}]` : host}:${port}`;
}
