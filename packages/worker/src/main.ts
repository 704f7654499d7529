import { createMetricsRegistry, runService } from '@quern/service';
import { workerSettings } from './settings.ts';
import { startWorker } from './worker.ts';

await runService({
  name: 'worker',
  settings: workerSettings,
  env: process.env,
  pretty: process.stdout.isTTY,
  start: async ({ settings, logger, lifecycle }) => {
    const metrics = createMetricsRegistry('worker');
    await startWorker({ settings, logger, metrics, env: process.env }, lifecycle);
  },
});
