import { checkRedis, PredictionQueue, withoutPassword } from '@quern/queue';
import {
  assertGuarded,
  createLogger,
  createMetricsRegistry,
  type Lifecycle,
  readSettings,
  runProcess,
} from '@quern/service';
import { startApiServer } from './server.ts';
import { apiSettings } from './settings.ts';

const NAME = 'api';
/** On top of the grace for requests: closing connections takes a moment. */
const SHUTDOWN_MARGIN_MS = 5000;

const level = process.env['QUERN_LOG_LEVEL'] ?? '';
const logger = createLogger({
  name: NAME,
  // A level that does not exist is reported with the other settings.
  level: apiSettings.logLevel.schema.safeParse(level).data ?? apiSettings.logLevel.fallback,
  pretty: process.stdout.isTTY,
});

async function start(lifecycle: Lifecycle): Promise<void> {
  const settings = readSettings(apiSettings, process.env);
  const { redisUrl, redisWaitMs, host, apiKeys } = settings;
  assertGuarded(host, apiKeys.length > 0, 'QUERN_API_KEYS');
  const queue = await PredictionQueue.open({
    redisUrl,
    redisWaitMs,
    name: `quern-${NAME}`,
    onWaiting: (reason) =>
      logger.warn(
        `Waiting for Redis at ${withoutPassword(redisUrl)} for up to ${redisWaitMs} ms: ${reason}`,
      ),
    onError: (error) => logger.warn({ err: error }, 'Redis connection'),
  });
  lifecycle.defer('the queue', () => queue.close());
  for (const warning of await checkRedis(queue.redis)) logger.warn(warning);
  const server = await startApiServer({
    ...settings,
    queue,
    logger,
    registry: createMetricsRegistry(NAME),
  });
  lifecycle.defer('the server', () => server.close());
  logger.info(`Listening on ${server.url} (docs at ${server.url}/docs)`);
}

const graceMs = apiSettings.shutdownGraceMs.schema.safeParse(
  process.env[apiSettings.shutdownGraceMs.variable] ?? '',
);
await runProcess({
  logger,
  shutdownTimeoutMs: (graceMs.data ?? apiSettings.shutdownGraceMs.fallback) + SHUTDOWN_MARGIN_MS,
  start,
});
