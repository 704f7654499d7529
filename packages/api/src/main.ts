import { openBlobs } from '@quern/blobs';
import { egressRules } from '@quern/egress';
import { checkRedis, PredictionQueue, withoutPassword } from '@quern/queue';
import { assertGuarded, createMetricsRegistry, runService } from '@quern/service';
import { startApiServer } from './server.ts';
import { apiSettings, bulkLimitsFrom } from './settings.ts';

const NAME = 'api';

await runService({
  name: NAME,
  settings: apiSettings,
  env: process.env,
  pretty: process.stdout.isTTY,
  start: async ({ settings, logger, lifecycle }) => {
    const { redisUrl, redisWaitMs, host, apiKeys } = settings;
    // The server asks again; here it is told before the wait for Redis.
    assertGuarded(host, apiKeys.length > 0, 'QUERN_API_KEYS');
    const blobs = openBlobs(settings);
    lifecycle.defer('blob stores', () => blobs.close());
    const queue = await PredictionQueue.open({
      redisUrl,
      blobs,
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
    const registry = createMetricsRegistry(NAME);
    const server = await startApiServer({
      ...settings,
      egressRules: egressRules(settings),
      bulkLimits: bulkLimitsFrom(settings),
      queue,
      logger,
      registry,
    });
    lifecycle.defer('the server', server.close);
    logger.info(`API at ${server.url}, its documentation at ${server.url}/docs`);
  },
});
