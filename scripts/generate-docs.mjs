import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { ApiMetrics, apiSettings } from '@quern/api';
import { ERROR_CATALOGUE } from '@quern/contract';
import { dashboardSettings } from '@quern/dashboard';
import { createMetricsRegistry } from '@quern/service';
import { createWebhookMetrics, webhooksSettings } from '@quern/webhooks';
import { createWorkerMetrics, workerSettings } from '@quern/worker';
import { errorsPage } from './docs/errors-page.mjs';
import { metricsPage } from './docs/metrics-page.mjs';
import { settingsPage } from './docs/settings-page.mjs';
import { inRoot } from './setup/repository.mjs';

// `npm run docs` writes the pages that are made from code; with --check it only compares them.
const services = {
  api: apiSettings,
  worker: workerSettings,
  webhooks: webhooksSettings,
  dashboard: dashboardSettings,
};
// What they count is of no interest here: the API's queues are never asked.
const metrics = {
  API: metricsOf((registry) => new ApiMetrics(registry, undefined)),
  Worker: metricsOf(createWorkerMetrics),
  Webhooks: metricsOf((registry) => createWebhookMetrics(registry, undefined, undefined)),
};
const pages = [
  { path: 'docs/errors.md', text: errorsPage(ERROR_CATALOGUE) },
  { path: 'docs/metrics.md', text: metricsPage(metrics) },
  { path: 'docs/settings.md', text: settingsPage(services) },
];
const isCheck = process.argv.includes('--check');

for (const { path, text } of pages) {
  const file = inRoot(path);
  const isUpToDate = existsSync(file) && readFileSync(file, 'utf8') === text;
  if (isUpToDate) continue;
  if (isCheck) {
    process.stderr.write(`${path} is out of date: run npm run docs\n`);
    process.exitCode = 1;
  } else {
    writeFileSync(file, text);
    process.stdout.write(`${path} written\n`);
  }
}

function metricsOf(register) {
  const registry = createMetricsRegistry('docs');
  register(registry);
  return registry.getMetricsAsArray().filter(({ name }) => name.startsWith('quern_'));
}
