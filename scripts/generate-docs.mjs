import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { ERROR_CATALOGUE } from '@quern/contract';
import { errorsPage } from './docs/errors-page.mjs';
import { inRoot } from './setup/repository.mjs';

// `npm run docs` writes the pages that are made from code; with --check it only compares them.
const pages = [{ path: 'docs/errors.md', text: errorsPage(ERROR_CATALOGUE) }];
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
