import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

export interface ForeignHost {
  readonly port: number;
  /** Connections that were ever made to it. */
  readonly connections: () => number;
}

/** A real HTTP server on an address of the loopback, ended with the test. */
export async function foreignHost(
  listener: RequestListener,
  address = '127.0.0.1',
  port = 0,
): Promise<ForeignHost> {
  let connections = 0;
  const server = createServer(listener);
  server.on('connection', () => {
    connections += 1;
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, address, resolve);
  });
  onTestFinished(() => close(server));
  return { port: (server.address() as AddressInfo).port, connections: () => connections };
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
