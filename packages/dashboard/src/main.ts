import { PredictionQueue } from '@quern/queue';
import { createLogger, runProcess } from '@quern/service';
import { startDashboard } from './server.ts';
import { readDashboardSettings } from './settings.ts';

const SHUTDOWN_TIMEOUT_MS = 8000;

const logger = createLogger({
  name: 'dashboard',
  level: 'info',
  pretty: process.stdout.isTTY === true,
});

await runProcess({
  logger,
  shutdownTimeoutMs: SHUTDOWN_TIMEOUT_MS,
  start: async (lifecycle) => {
    const settings = readDashboardSettings(process.env);
    logger.level = settings.logLevel;
    const queue = await PredictionQueue.open({
      redisUrl: settings.redisUrl,
      redisWaitMs: settings.redisWaitMs,
      name: 'dashboard',
      onWaiting: (reason) => logger.info(`Waiting for Redis: ${reason}`),
      onError: (error) => logger.warn(`Redis: ${error.message}`),
    });
    lifecycle.defer('the queue', () => queue.close());
    const dashboard = await startDashboard({ ...settings, queue, logger });
    lifecycle.defer('the dashboard', dashboard.close);
    const access =
      settings.credentials === undefined
        ? 'read-only; set QUERN_DASHBOARD_USER and QUERN_DASHBOARD_PASSWORD to act on jobs'
        : `sign in as ${settings.credentials.user} to act on jobs`;
    logger.info(`Dashboard at ${dashboard.url} (${access})`);
  },
});
