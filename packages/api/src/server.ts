import { setMaxListeners } from 'node:events';
import { createServer, type ServerOptions as HttpServerOptions, type Server } from 'node:http';
import type { Socket } from 'node:net';
import { Bulk, type BulkLimits } from '@quern/bulk';
import { assertGuarded, closeServer, listen } from '@quern/service';
import { type AppDeps, buildApp } from './app.ts';

export interface ServerOptions extends Omit<AppDeps, 'stopping' | 'bulk'> {
  readonly bulkLimits: BulkLimits;
  readonly host: string;
  /** 0 for a free one. */
  readonly port: number;
  /** How long a client may take to send a request, its body included. */
  readonly requestTimeoutMs: number;
  /** Requests may finish in this time when the server closes. */
  readonly shutdownGraceMs: number;
}

export interface ApiServer {
  readonly port: number;
  /** Where the API is, without a trailing slash. */
  readonly url: string;
  /** Ends waits, lets other requests finish within the grace period, and stops listening. */
  readonly close: () => Promise<void>;
}

/** Longer than the usual load balancer's, so that it is never this side that hangs up first. */
const KEEP_ALIVE_TIMEOUT_MS = 75_000;
/** Headers are small: who takes longer for them keeps a connection for nothing. */
const HEADERS_TIMEOUT_MS = 30_000;
/** How often slow clients are looked for. */
const SLOWNESS_CHECK_INTERVAL_MS = 5000;

/**
 * Starts the API on a port.
 * @throws QuernError `CONFIG_INVALID` if the port is taken, or others could reach it without a key
 */
export async function startApiServer(options: ServerOptions): Promise<ApiServer> {
  assertGuarded(options.host, options.apiKeys.length > 0, 'QUERN_API_KEYS');
  const stopping = new AbortController();
  // Every wait listens to it.
  setMaxListeners(0, stopping.signal);
  const bulk = openBulk(options);
  const app = buildApp({ ...options, bulk, stopping: stopping.signal });
  const server = createServer(connectionOptions(options), (request, response) => {
    // The connections of a stopping server end with their current answer.
    if (stopping.signal.aborted) response.setHeader('Connection', 'close');
    app(request, response);
  });
  server.on('clientError', answerClientError);
  const { host } = options;
  let port: number;
  try {
    port = await listen(server, { host, port: options.port, portVariable: 'QUERN_API_PORT' });
  } catch (error) {
    await bulk.close();
    throw error;
  }
  let closing: Promise<void> | undefined;
  return {
    port,
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    close: () => {
      stopping.abort();
      closing ??= closeAll(bulk, server, options.shutdownGraceMs);
      return closing;
    },
  };
}

function openBulk({ queue, logger, bulkLimits }: ServerOptions): Bulk {
  return new Bulk({
    redis: queue.redis,
    limits: bulkLimits,
    onError: (error) => logger.warn({ err: error }, 'Files'),
  });
}

async function closeAll(bulk: Bulk, server: Server, graceMs: number): Promise<void> {
  await Promise.all([bulk.close(), closeWithin(server, graceMs)]);
}

function connectionOptions({ requestTimeoutMs }: ServerOptions): HttpServerOptions {
  return {
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    requestTimeout: requestTimeoutMs,
    headersTimeout: Math.min(HEADERS_TIMEOUT_MS, requestTimeoutMs),
    connectionsCheckingInterval: Math.min(SLOWNESS_CHECK_INTERVAL_MS, requestTimeoutMs),
  };
}

async function closeWithin(server: Server, graceMs: number): Promise<void> {
  const timer = setTimeout(() => server.closeAllConnections(), graceMs);
  try {
    await closeServer(server);
  } finally {
    clearTimeout(timer);
  }
}

const STATUS_OF_CLIENT_ERROR: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

/** What is not even HTTP never becomes a request; it gets an answer all the same. */
function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const status = STATUS_OF_CLIENT_ERROR[error.code ?? ''] ?? '400 Bad Request';
  const message = `The request could not be read: ${status.slice(4)} (${error.code ?? 'no code'})`;
  const body = JSON.stringify({ error: { code: 'INVALID_REQUEST', message } });
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/json; charset=utf-8\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
