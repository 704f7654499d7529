import { createServer, type Server } from 'node:http';
import { closeServer, listen } from '@quern/service';
import type { UpSettings } from './up-settings.ts';

export type Ports = UpSettings['ports'];

/**
 * Makes sure that every port can be had before anything is started, also that no two services want the
 * same one. A port of 0 becomes a free one.
 * @throws QuernError `CONFIG_INVALID` that names the variable to change
 */
export async function reservePorts({
  host,
  workerHost,
  webhooksHost,
  ports,
}: UpSettings): Promise<Ports> {
  const servers: Server[] = [];
  const reserve = (address: string, port: number, portVariable: string): Promise<number> => {
    const server = createServer();
    servers.push(server);
    return listen(server, { host: address, port, portVariable });
  };
  try {
    return {
      api: await reserve(host, ports.api, 'QUERN_API_PORT'),
      dashboard: await reserve(host, ports.dashboard, 'QUERN_DASHBOARD_PORT'),
      worker: await reserve(workerHost, ports.worker, 'QUERN_WORKER_PORT'),
      webhooks: await reserve(webhooksHost, ports.webhooks, 'QUERN_WEBHOOKS_PORT'),
    };
  } finally {
    await Promise.all(servers.filter((server) => server.listening).map(closeServer));
  }
}
