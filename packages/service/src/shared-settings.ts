import { z } from 'zod';
import { integerText, listText, setting } from './settings.ts';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

/** Settings that more than one process reads. */
export const sharedSettings = {
  redisUrl: setting({
    variable: 'QUERN_REDIS_URL',
    schema: z
      .string()
      .regex(/^(rediss?|unix):\/\//, { error: 'expected redis://, rediss:// or unix:///path' }),
    fallback: 'redis://127.0.0.1:6379',
    meaning: 'Where Redis is: redis://, rediss:// (TLS) or unix:///path/to/socket.',
    secret: true,
  }),
  redisWaitMs: setting({
    variable: 'QUERN_REDIS_WAIT_MS',
    schema: integerText(0, 3_600_000),
    fallback: 60_000,
    meaning: 'How long a process waits for Redis at start before it gives up.',
  }),
  host: setting({
    variable: 'QUERN_HOST',
    schema: z.string(),
    fallback: '127.0.0.1',
    meaning: 'Address to listen on. Anything but loopback needs QUERN_API_KEYS.',
  }),
  apiKeys: setting<readonly string[]>({
    variable: 'QUERN_API_KEYS',
    schema: listText(),
    fallback: [],
    meaning: 'Comma-separated keys, one of which a client sends as `Authorization: Bearer KEY`.',
    secret: true,
  }),
  logLevel: setting<(typeof LOG_LEVELS)[number]>({
    variable: 'QUERN_LOG_LEVEL',
    schema: z.string().pipe(z.enum(LOG_LEVELS)),
    fallback: 'info',
    meaning: `Least severe level that is logged: ${LOG_LEVELS.join(', ')}.`,
  }),
  shutdownGraceMs: setting({
    variable: 'QUERN_SHUTDOWN_GRACE_MS',
    schema: integerText(0, 3_600_000),
    fallback: 25_000,
    meaning: 'How long a stopping process lets running work finish.',
  }),
} as const;

/** Settings of the processes that take work from queues. */
export const lockSettings = {
  lockDurationMs: setting({
    variable: 'QUERN_LOCK_DURATION_MS',
    schema: integerText(1000, 600_000),
    fallback: 15_000,
    meaning: 'A worker that is silent for this long has lost its predictions to others.',
  }),
  stalledIntervalMs: setting({
    variable: 'QUERN_STALLED_INTERVAL_MS',
    schema: integerText(500, 600_000),
    fallback: 5000,
    meaning: 'How often workers look for predictions that a lost worker held.',
  }),
} as const;
