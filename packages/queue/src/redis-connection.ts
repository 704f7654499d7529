import { QuernError } from '@quern/contract';
import { Redis, type RedisOptions } from 'ioredis';
import { coalesceWrites } from './coalesced-writes.ts';

/**
 * Producers fail fast, so that an HTTP caller hears of an outage at once; workers and subscribers wait
 * and resume by themselves. Runners wait as well, but not longer than a command may take: what they
 * hold can be retried elsewhere.
 */
export type RedisRole = 'producer' | 'worker' | 'subscriber' | 'runner';

export interface RedisOpenOptions {
  /** redis://, rediss:// or unix:///path/to/socket */
  readonly url: string;
  readonly role: RedisRole;
  /** Shown in `CLIENT LIST`. */
  readonly name: string;
  /** Told once of each outage, and of other errors; the connection heals itself. */
  readonly onError: (error: Error) => void;
}

export interface RedisConnectOptions extends RedisOpenOptions {
  /** How long to wait for the first connection; `onError` hears of later errors only. */
  readonly waitMs: number;
  /** Told once when the first attempt fails and waiting starts. */
  readonly onWaiting?: (reason: string) => void;
}

const COMMAND_TIMEOUT_MS = 5000;
const RUNNER_COMMAND_TIMEOUT_MS = 15_000;
const MAX_RETRY_DELAY_MS = 500;
/** How often a Redis that reads its files is asked whether it has: its own guess can be minutes off. */
const LOADING_CHECK_INTERVAL_MS = 200;

const ROLE_OPTIONS = {
  producer: {
    maxRetriesPerRequest: 1,
    enableOfflineQueue: false,
    commandTimeout: COMMAND_TIMEOUT_MS,
  },
  worker: { maxRetriesPerRequest: null },
  subscriber: { maxRetriesPerRequest: null },
  runner: { maxRetriesPerRequest: null, commandTimeout: RUNNER_COMMAND_TIMEOUT_MS },
} satisfies Record<RedisRole, RedisOptions>;

/**
 * Connects and waits until Redis answers.
 * @throws QuernError `REDIS_UNAVAILABLE` when the wait is over; the connection is closed then
 */
export async function connectRedis(options: RedisConnectOptions): Promise<Redis> {
  const redis = createClient(options);
  let lastError: Error | undefined;
  let isFirstError = true;
  const noteError = (error: Error): void => {
    lastError = error;
    if (isFirstError) options.onWaiting?.(describe(error));
    isFirstError = false;
  };
  redis.on('error', noteError);
  try {
    await untilReady(redis, options.waitMs);
  } catch {
    redis.disconnect();
    throw new QuernError(
      'REDIS_UNAVAILABLE',
      `Redis at ${withoutPassword(options.url)} did not answer within ${options.waitMs} ms` +
        `${lastError === undefined ? '' : ` (${describe(lastError)})`}. Start it, or set QUERN_REDIS_URL.`,
    );
  }
  redis.off('error', noteError);
  tellOncePerOutage(redis, options.onError);
  return redis;
}

/** A client that connects when it can, and waits until then with what it is asked. */
export function openRedis(options: RedisOpenOptions): Redis {
  const redis = createClient(options);
  tellOncePerOutage(redis, options.onError);
  return redis;
}

/** An outage is many failed attempts to connect, but one thing to tell of. */
function tellOncePerOutage(redis: Redis, onError: (error: Error) => void): void {
  let isAway = false;
  redis.on('error', (error: Error) => {
    if (!isAway || !isConnectionError(error)) onError(error);
    isAway = true;
  });
  redis.on('ready', () => {
    isAway = false;
  });
}

function createClient({ url, role, name }: Omit<RedisOpenOptions, 'onError'>): Redis {
  const shared = {
    ...ROLE_OPTIONS[role],
    connectionName: name,
    maxLoadingRetryTime: LOADING_CHECK_INTERVAL_MS,
    retryStrategy: (attempt: number) => Math.min(20 * attempt, MAX_RETRY_DELAY_MS),
    // After a failover the old primary refuses writes: connect again and send the command there.
    reconnectOnError: (error: Error) => (error.message.startsWith('READONLY') ? 2 : false),
  } satisfies RedisOptions;
  const socket = /^unix:\/\/(.+)$/.exec(url)?.[1];
  const redis = socket === undefined ? new Redis(url, shared) : new Redis(socket, shared);
  redis.on('connect', () => coalesceWrites(redis.stream));
  return redis;
}

function untilReady(redis: Redis, waitMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('timeout')), waitMs);
    redis.once('ready', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

function describe(error: Error): string {
  return error.message || (error as NodeJS.ErrnoException).code || error.name;
}

/** The address as it may be shown: without user, password (also one with a stray `/` or `@`) and options. */
export function withoutPassword(url: string): string {
  return url.replace(/\/\/.*@/, '//***@').replace(/\?.*/, '');
}

const CONNECTION_ERROR =
  /connection is closed|connection not yet|stream isn't writeable|max retries per request|command timed out|socket timeout|ECONN|EPIPE|ENOENT|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|^LOADING|^CLUSTERDOWN|^READONLY|^MASTERDOWN|^MISCONF|^BUSY /i;

/** Whether an error says that Redis is away, or for the moment unable to serve. */
export function isConnectionError(error: Error): boolean {
  return CONNECTION_ERROR.test(error.message) || error.name === 'MaxRetriesPerRequestError';
}

/**
 * What a producer tells its caller of a failed command: `REDIS_UNAVAILABLE` for an outage, also for
 * memory or a disk that is full, else the error itself. Whether Redis has carried the command out is
 * not known then: the answer may be all that was lost.
 */
export function redisFault(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof QuernError) return error;
  if (isConnectionError(error)) {
    return new QuernError('REDIS_UNAVAILABLE', 'Redis cannot be reached.', {
      cause: error,
      details: { retryAfterSeconds: 1 },
    });
  }
  if (error.message.startsWith('OOM')) {
    return new QuernError('REDIS_UNAVAILABLE', 'Redis has no memory left.', {
      cause: error,
      details: { retryAfterSeconds: 5 },
    });
  }
  return error;
}
