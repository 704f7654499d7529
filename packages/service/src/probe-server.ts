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
    // A probe that fails is an answer, never the end of the process.
    answer(options, request.url ?? '/', response).catch((error: unknown) => {
      sendJson(response, 500, { error: error instanceof Error ? error.message : String(error) });
    });
  });
  const port = await listen(server, options);
  return { port, close: () => closeServer(server) };
}

async function answer(options: ProbeOptions, url: string, response: ServerResponse): Promise<void> {
  switch (url.split('?', 1)[0]) {
    case '/health/live':
      sendJson(response, 200, { live: true });
      break;
    case '/health/ready': {
      const readiness = options.readiness();
      sendJson(response, readiness.ready ? 200 : 503, readiness);
      break;
    }
    case '/metrics': {
      const text = await options.metrics.metrics();
      response.writeHead(200, { 'content-type': options.metrics.contentType }).end(text);
      break;
    }
    default:
      sendJson(response, 404, { error: 'expected /health/live, /health/ready or /metrics' });
  }
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
 * @throws QuernError `CONFIG_INVALID` if the port is taken or not allowed, or the host is not one of
 *   this machine's; names the variable to change
 */
export function listen(server: Server, options: ListenOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException): void => reject(listenFault(error, options));
    server.once('error', onError);
    server.listen(options.port, options.host, () => {
      server.off('error', onError);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

function listenFault(error: NodeJS.ErrnoException, options: ListenOptions): Error {
  const { host, port, portVariable } = options;
  const hint = `Set ${portVariable} to another port.`;
  switch (error.code) {
    case 'EADDRINUSE':
      return new QuernError('CONFIG_INVALID', `Port ${port} on ${host} is in use. ${hint}`);
    case 'EACCES':
      return new QuernError('CONFIG_INVALID', `Port ${port} on ${host} is not allowed. ${hint}`);
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new QuernError(
        'CONFIG_INVALID',
        `${host} is not an address of this machine (${error.code}). Listen on 127.0.0.1, or on 0.0.0.0 for all.`,
      );
    default:
      return error;
  }
}

/** Stops accepting, ends idle connections, and resolves when the last request is answered. Idempotent. */
export function closeServer(server: Server): Promise<void> {
  // Connections that are busy now go as soon as they have their answer, also those kept alive.
  server.keepAliveTimeout = 1;
  return new Promise((resolve, reject) => {
    server.close((error) => {
      const isClosed =
        (error as NodeJS.ErrnoException | undefined)?.code === 'ERR_SERVER_NOT_RUNNING';
      if (error === undefined || isClosed) resolve();
      else reject(error);
    });
    server.closeIdleConnections();
  });
}
