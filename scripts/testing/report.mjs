import { existsSync, readFileSync } from 'node:fs';

/**
 * Counts Vitest's JSON report so that nothing which went wrong counts as nothing: a file that does
 * not load or whose hook fails is one failure, and so is a run without a test.
 * @param {string} path of the report; it is missing when Vitest itself broke
 * @param {number} exitCode Vitest's
 * @returns {{ counts: { passed: number, failed: number, skipped: number }, notes: string[] }}
 */
export function readReport(path, exitCode) {
  if (!existsSync(path)) {
    return {
      counts: { passed: 0, failed: 1, skipped: 0 },
      notes: [`Vitest ended with ${exitCode} and without a report; that counts as one failure.`],
    };
  }
  return countReport(JSON.parse(readFileSync(path, 'utf8')), exitCode);
}

export function countReport(report, exitCode) {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const notes = [];
  for (const file of report.testResults) {
    const failedBefore = counts.failed;
    for (const { status } of file.assertionResults) {
      if (status === 'passed') counts.passed += 1;
      else if (status === 'failed') counts.failed += 1;
      else counts.skipped += 1;
    }
    if (file.status === 'failed' && counts.failed === failedBefore) {
      counts.failed += 1;
      notes.push(`The file ${file.name} failed outside of its tests; that counts as one failure.`);
    }
  }
  if (counts.failed === 0 && exitCode !== 0) {
    counts.failed = 1;
    notes.push(`Vitest ended with ${exitCode}, see above; that counts as one failure.`);
  } else if (counts.failed === 0 && counts.passed === 0) {
    counts.failed = 1;
    notes.push('No test ran; that counts as one failure.');
  }
  return { counts, notes };
}
