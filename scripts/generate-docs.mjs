import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { apiSettings } from '@quern/api';
import { ERROR_CATALOGUE } from '@quern/contract';
import { dashboardSettings } from '@quern/dashboard';
import { workerSettings } from '@quern/worker';
import { errorsPage } from './docs/errors-page.mjs';
import { settingsPage } from './docs/settings-page.mjs';
import { inRoot } from './setup/repository.mjs';

// `npm run docs` writes the pages that are made from code; with --check it only compares them.
const services = { api: apiSettings, worker: workerSettings, dashboard: dashboardSettings };
const pages = [
  { path: 'docs/errors.md', text: errorsPage(ERROR_CATALOGUE) },
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
