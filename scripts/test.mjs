import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runInForeground } from './setup/child-processes.mjs';
import { setUp } from './setup.mjs';
import { testEnvironment } from './testing/environment.mjs';
import { readReport } from './testing/report.mjs';

// `npm test`: set up, run every test, and say on the last line how many passed and failed.
const { args, env } = await setUp({ args: process.argv.slice(2), redis: 'always', browser: true });
const folder = mkdtempSync(join(tmpdir(), 'quern-test-'));
if (env['QUERN_TEST_SEED'] === undefined) {
  process.stdout.write(
    'Properties are tested with the same values each time; for others: QUERN_TEST_SEED=random QUERN_TEST_RUNS=20 npm test\n',
  );
}
try {
  const reportPath = join(folder, 'report.json');
  const exitCode = await runInForeground(
    [
      'node_modules/vitest/vitest.mjs',
      'run',
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${reportPath}`,
      ...args,
    ],
    testEnvironment(env),
  );
  const { counts, notes } = readReport(reportPath, exitCode);
  for (const note of notes) process.stdout.write(`${note}\n`);
  const skipped = counts.skipped === 0 ? '' : `, ${counts.skipped} skipped`;
  process.stdout.write(`\n${counts.passed} passed, ${counts.failed} failed${skipped}\n`);
  process.exitCode = counts.failed > 0 ? exitCode || 1 : exitCode;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
