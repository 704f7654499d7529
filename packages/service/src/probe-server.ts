import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { QuernError } from '@quern/contract';
import type { Registry } from 'prom-client';

export interface ProbeOptions {
  readonly host: string;
  readonly port: number;
  /** The variable that sets the port, for the message when it is in use. */
  readonly portVariable: string;
  readonly metrics: Registry;
  /** What `/health/ready` answers: 200 if ready, else 503; the body is shown either way. */
  readonly readiness: () => { ready: boolean } & Record<string, unknown>;
}

/** Health and metrics of a process that serves no other HTTP: `/health/live`, `/health/ready`, `/metrics`. */
export async function serveProbes(
  options: ProbeOptions,
): Promise<{ port: number; close: () => Promise<void> }> {
  const server = createServer((request, response) => {
    switch (request.url) {
      case '/health/live':
        sendJson(response, 200, { live: true });
        break;
      case '/health/ready': {
        const readiness = options.readiness();
        sendJson(response, readiness.ready ? 200 : 503, readiness);
        break;
      }
      case '/metrics':
        void options.metrics.metrics().then((text) => {
          response.writeHead(200, { 'content-type': options.metrics.contentType }).end(text);
        });
        break;
      default:
        sendJson(response, 404, { error: 'expected /health/live, /health/ready or /metrics' });
    }
  });
  const port = await listen(server, options);
  return { port, close: () => closeServer(server) };
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

export interface ListenOptions {
  readonly host: string;
  readonly port: number;
  readonly portVariable: string;
}

/**
 * Listens and resolves to the port.
 * @throws QuernError `CONFIG_INVALID` if the port is taken or not allowed; names the variable to change
 */
export function listen(server: Server, options: ListenOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const { host, port, portVariable } = options;
      const hint = `Set ${portVariable} to another port.`;
      if (error.code === 'EADDRINUSE') {
        reject(new QuernError('CONFIG_INVALID', `Port ${port} on ${host} is in use. ${hint}`));
      } else if (error.code === 'EACCES') {
        reject(new QuernError('CONFIG_INVALID', `Port ${port} on ${host} is not allowed. ${hint}`));
      } else {
        reject(error);
      }
    });
    server.listen(options.port, options.host, () =>
      resolve((server.address() as AddressInfo).port),
    );
  });
}

/** Stops accepting, ends idle connections, and resolves when the last request is answered. */
export function closeServer(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.close((error) => (error === undefined ? resolve() : reject(error)));
    server.closeIdleConnections();
  });
}
