import { openBlobs } from '@quern/blobs';
import { checkRedis, PredictionQueue, withoutPassword } from '@quern/queue';
import { runService } from '@quern/service';
import { startDashboard } from './server.ts';
import { checkDashboardSettings, dashboardSettings } from './settings.ts';

const NAME = 'dashboard';

await runService({
  name: NAME,
  settings: dashboardSettings,
  env: process.env,
  pretty: process.stdout.isTTY,
  start: async ({ settings: values, logger, lifecycle }) => {
    const settings = checkDashboardSettings(values);
    const { redisUrl, redisWaitMs, credentials } = settings;
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
    const dashboard = await startDashboard({ ...settings, queue, logger });
    lifecycle.defer('the dashboard', dashboard.close);
    const access =
      credentials === undefined
        ? 'read-only; set QUERN_DASHBOARD_USER and QUERN_DASHBOARD_PASSWORD to act on jobs'
        : `sign in as ${credentials.user} to act on jobs`;
    logger.info(`Dashboard at ${dashboard.url} (${access})`);
  },
});
