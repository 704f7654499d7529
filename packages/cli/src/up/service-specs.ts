import type { Ports } from './reserve-ports.ts';
import type { ServiceSpec } from './service-process.ts';
import { localUrl, type UpSettings } from './up-settings.ts';

export interface ServiceEnvironment {
  readonly env: NodeJS.ProcessEnv;
  readonly settings: UpSettings;
  readonly ports: Ports;
  readonly redisUrl: string;
  /** Absolute path of the model repository. */
  readonly modelsDir: string;
  readonly workers: number;
}

/** A service ends itself when its grace and this margin are over; only then is it killed. */
const STOP_MARGIN_MS = 15_000;

/** The services in the order in which they are stopped: the doors first, then those that work. */
export function serviceSpecs(options: ServiceEnvironment): ServiceSpec[][] {
  const { settings, ports, workers } = options;
  const stopTimeoutMs = settings.shutdownGraceMs + STOP_MARGIN_MS;
  const shared: NodeJS.ProcessEnv = {
    // The summary is what people come for; QUERN_LOG_LEVEL=info shows the services' own reports.
    QUERN_LOG_LEVEL: 'warn',
    QUERN_API_URL: localUrl(settings.host, ports.api),
    ...withoutEmpty(options.env),
    QUERN_REDIS_URL: options.redisUrl,
    QUERN_MODELS: options.modelsDir,
    QUERN_API_PORT: String(ports.api),
    QUERN_DASHBOARD_PORT: String(ports.dashboard),
    QUERN_WEBHOOKS_PORT: String(ports.webhooks),
  };
  const api = new URL(import.meta.resolve('@quern/api/main'));
  const dashboard = new URL(import.meta.resolve('@quern/dashboard/main'));
  const worker = new URL(import.meta.resolve('@quern/worker/main'));
  const webhooks = new URL(import.meta.resolve('@quern/webhooks/main'));
  const doors = [
    { name: 'API', entry: api, env: shared, stopTimeoutMs },
    { name: 'dashboard', entry: dashboard, env: shared, stopTimeoutMs },
  ];
  const workerSpecs = Array.from({ length: workers }, (_item, index) => ({
    name: workers === 1 ? 'worker' : `worker ${index + 1}`,
    entry: worker,
    env: { ...shared, QUERN_WORKER_PORT: index === 0 ? String(ports.worker) : '0' },
    stopTimeoutMs,
  }));
  const rest = { name: 'webhooks', entry: webhooks, env: shared, stopTimeoutMs };
  return [doors, [...workerSpecs, rest]];
}

/** An empty variable counts as unset. */
function withoutEmpty(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
}
