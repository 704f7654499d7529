import type { BulkLimits } from '@quern/bulk';
import type { ServedModel } from '@quern/contract';
import { connectRedis, PredictionQueue, RegistryPublisher } from '@quern/queue';
import { createLogger, createMetricsRegistry } from '@quern/service';
import { TestRedis } from '@quern/testkit';
import {
  type ApiServer,
  type OpenApiDocument,
  openApiDocument,
  startApiServer,
} from '../src/index.ts';

import { BROKEN, EXACT, PAIR, WIDE, workerRecord } from './fake-models.ts';
import { assertConforms } from './openapi-conformance.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The parsed body; undefined if it is not JSON. */
  readonly json: unknown;
}

export interface Call {
  /** Sent as JSON unless it is a string, bytes or a form. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** Of another server of the same API; default the first one's. */
  readonly base?: string;
}

export interface RunningApiOptions {
  readonly apiKeys?: readonly string[];
  readonly adminKeys?: readonly string[];
  readonly bodyLimitBytes?: number;
  readonly syncWaitMs?: number;
  readonly publicUrl?: string;
  readonly cancelOnHangUp?: boolean;
  readonly corsOrigins?: readonly string[];
  readonly webhookSecrets?: readonly string[];
  readonly models?: readonly ServedModel[];
  readonly bulkLimits?: Partial<BulkLimits>;
}

const BULK_LIMITS: BulkLimits = {
  maxFileBytes: 4_000_000,
  totalBytes: 16_000_000,
  retentionMs: 3_600_000,
};

/** The API on a port of its own over a Redis of its own, with models that no worker serves yet. */
export class RunningApi {
  readonly url: string;
  readonly server: ApiServer;
  readonly queue: PredictionQueue;
  readonly redisServer: TestRedis;
  readonly redis: PredictionQueue['redis'];
  readonly document: OpenApiDocument = openApiDocument('test');
  readonly #publisher: RegistryPublisher;
  readonly #options: RunningApiOptions;
  readonly #others: Pick<RunningApi, 'server' | 'queue'>[] = [];

  private constructor(
    parts: Pick<RunningApi, 'server' | 'queue' | 'redisServer' | 'redis'>,
    publisher: RegistryPublisher,
    options: RunningApiOptions,
  ) {
    this.#options = options;
    this.server = parts.server;
    this.queue = parts.queue;
    this.redisServer = parts.redisServer;
    this.redis = parts.redis;
    this.url = parts.server.url;
    this.#publisher = publisher;
  }

  static async start(options: RunningApiOptions = {}): Promise<RunningApi> {
    const redisServer = await TestRedis.start();
    const redis = await connectRedis({
      url: redisServer.url,
      role: 'worker',
      name: 'test',
      waitMs: 5000,
      onError: () => {},
    });
    const record = workerRecord(options.models ?? [PAIR, WIDE, EXACT, BROKEN]);
    const publisher = new RegistryPublisher({ redis, record: () => record, onError: () => {} });
    await publisher.publish();
    const { server, queue } = await startServer(redisServer.url, options);
    return new RunningApi({ server, queue, redisServer, redis }, publisher, options);
  }

  /** Sends a request; the answer must be as `/openapi.json` describes it. */
  async call(method: string, path: string, call: Call = {}): Promise<Answer> {
    const { body, headers = {}, signal, base = this.url } = call;
    const isForm = body instanceof FormData;
    const isRaw = typeof body === 'string' || body instanceof Uint8Array || body === undefined;
    const response = await fetch(`${base}${path}`, {
      method,
      // A form says its own type, with the boundary in it.
      headers: {
        ...(body !== undefined && !isForm && { 'content-type': 'application/json' }),
        ...headers,
      },
      redirect: 'manual',
      ...(body !== undefined && { body: isForm || isRaw ? body : JSON.stringify(body) }),
      ...(signal !== undefined && { signal }),
    });
    const text = await response.text();
    const isJson = /^application\/json(;|$)/.test(response.headers.get('content-type') ?? '');
    const json: unknown = isJson && text !== '' ? JSON.parse(text) : undefined;
    assertConforms(this.document, { method, path, status: response.status, json });
    return { status: response.status, headers: response.headers, text, json };
  }

  /** The value of a metric with exactly these labels, beside the process's own. */
  async metric(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
    const { text } = await this.call('GET', '/metrics');
    const wanted = Object.entries({ ...labels, process: 'api' }).map(([k, v]) => `${k}="${v}"`);
    const line = text.split('\n').find((candidate) => {
      const [, found = ''] = /^\w+\{(.*)\} /.exec(candidate) ?? [];
      const isNamed = candidate.startsWith(`${name}{`);
      return isNamed && found.split(',').sort().join() === wanted.sort().join();
    });
    return Number(line?.split(' ').at(-1) ?? Number.NaN);
  }

  /** How many predictions wait, of all models. */
  async countWaiting(): Promise<number> {
    const models = this.queue.registry.models();
    const depths = await Promise.all(models.map(({ name }) => this.queue.depth(name)));
    return depths.reduce((sum, { waiting }) => sum + waiting, 0);
  }

  /** Starts another server over the same Redis. @returns its URL, for `Call.base` */
  async addServer(): Promise<string> {
    const other = await startServer(this.redisServer.url, this.#options);
    this.#others.push(other);
    return other.server.url;
  }

  async stop(): Promise<void> {
    for (const { server, queue } of this.#others) {
      await server.close();
      await queue.close();
    }
    await this.server.close();
    await this.queue.close();
    await this.#publisher.close().catch(() => {});
    this.redis.disconnect();
    await this.redisServer.stop();
  }
}

/** A server, and the producer that it has. */
async function startServer(
  redisUrl: string,
  options: RunningApiOptions,
): Promise<Pick<RunningApi, 'server' | 'queue'>> {
  const queue = await PredictionQueue.open({ redisUrl: redisUrl, name: 'test-api' });
  const server = await startApiServer({
    host: '127.0.0.1',
    port: 0,
    queue,
    logger: createLogger({
      name: 'api',
      level: process.env['QUERN_LOG_LEVEL'] ?? 'fatal',
      pretty: false,
    }),
    registry: createMetricsRegistry('api'),
    apiKeys: options.apiKeys ?? [],
    adminKeys: options.adminKeys,
    webhookSecrets: options.webhookSecrets,
    bodyLimitBytes: options.bodyLimitBytes ?? 1_000_000,
    bulkLimits: { ...BULK_LIMITS, ...options.bulkLimits },
    syncWaitMs: options.syncWaitMs ?? 10_000,
    requestTimeoutMs: 120_000,
    publicUrl: options.publicUrl,
    cancelOnHangUp: options.cancelOnHangUp,
    corsOrigins: options.corsOrigins ?? [],
    shutdownGraceMs: 2000,
  });
  return { server, queue };
}
