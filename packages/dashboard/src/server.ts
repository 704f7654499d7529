import { createServer } from 'node:http';
import { isIPv6 } from 'node:net';
import { closeServer, listen } from '@quern/service';
import { buildApp, type DashboardDeps } from './app.ts';
import { assertDashboardGuarded } from './settings.ts';

export interface DashboardOptions extends DashboardDeps {
  /** 0 for a free one. */
  readonly port: number;
}

export interface RunningDashboard {
  readonly port: number;
  /** Where this machine reaches it, without a trailing slash. */
  readonly url: string;
  /** Stops accepting, answers what is under way and lets go of the queues. */
  readonly close: () => Promise<void>;
}

const ANY_ADDRESS: ReadonlySet<string> = new Set(['0.0.0.0', '::']);

/**
 * Starts the dashboard. The PredictionQueue stays its owner's, who closes it afterwards.
 * @throws QuernError `CONFIG_INVALID` if the port is taken (names QUERN_DASHBOARD_PORT), or if other
 *   machines can reach the host and there are no credentials
 */
export async function startDashboard(options: DashboardOptions): Promise<RunningDashboard> {
  const { host } = options;
  assertDashboardGuarded(host, options.credentials !== undefined);
  const dashboard = buildApp(options);
  const server = createServer(dashboard.app);
  const closeAll = async (): Promise<void> => {
    if (server.listening) await closeServer(server);
    await dashboard.close();
  };
  try {
    const port = await listen(server, {
      host,
      port: options.port,
      portVariable: 'QUERN_DASHBOARD_PORT',
    });
    let closing: Promise<void> | undefined;
    const close = (): Promise<void> => {
      closing ??= closeAll();
      return closing;
    };
    return { port, url: urlOf(host, port), close };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

function urlOf(host: string, port: number): string {
  if (ANY_ADDRESS.has(host)) return `http://127.0.0.1:${port}`;
  return `http://${isIPv6(host) ? `[${host}]` : host}:${port}`;
}
