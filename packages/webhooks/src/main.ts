import { createMetricsRegistry, runService } from '@quern/service';
import { webhooksSettings } from './settings.ts';
import { startWebhooks } from './webhooks-service.ts';

await runService({
  name: 'webhooks',
  settings: webhooksSettings,
  env: process.env,
  pretty: process.stdout.isTTY,
  start: async ({ settings, logger, lifecycle }) => {
    const metrics = createMetricsRegistry('webhooks');
    await startWebhooks({ settings, logger, metrics }, lifecycle);
  },
});
