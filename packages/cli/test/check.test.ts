import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { runCli } from './run-cli.ts';
import { TemporaryFolder } from './temporary-folder.ts';

const FIELDS = fileURLToPath(new URL('../../../examples/fields', import.meta.url));
const DIGITS = fileURLToPath(new URL('../../../models/digits', import.meta.url));

describe('quern check', { timeout: 60_000 }, () => {
  it('says what a model takes and gives', async () => {
    await using folder = await TemporaryFolder.make();
    cpSync(DIGITS, folder.join('digits'), { recursive: true });
    const run = await runCli(['check', folder.path]).finished;
    expect(run).toMatchObject({ code: 0, stderr: '' });
    expect(run.stdout).toContain('takes     image  FP32 [?, 1, 8, 8]');
    expect(run.stdout).toContain('gives     probabilities  FP32 [?, 10]');
    expect(run.stdout).toMatch(/batching {2}auto, up to 64 rows; one row took [\d.]+ ms/);
    expect(run.stdout).toContain('1 model, no problem.');
  });

  it('says what models with steps take and give', async () => {
    const run = await runCli(['check', FIELDS]).finished;
    expect(run).toMatchObject({ code: 0, stderr: '' });
    expect(run.stdout).toContain('takes     applicant  BYTES [?] of record');
    expect(run.stdout).toContain('takes     image  BYTES [?] of image');
    expect(run.stdout).toContain('gives     labels  BYTES [?, 3]');
    expect(run.stdout).not.toContain('warning');
    expect(run.stdout).toContain('3 models, no problem.');
  });

  it('names file, line and key of every problem, and warns of labels that do not fit', async () => {
    await using folder = await TemporaryFolder.make();
    cpSync(DIGITS, folder.join('digits'), { recursive: true });
    writeFileSync(folder.join('digits', 'labels.txt'), 'zero\none\n');
    mkdirSync(folder.join('corrupt', '1'), { recursive: true });
    writeFileSync(folder.join('corrupt', '1', 'model.onnx'), 'not a model');
    mkdirSync(folder.join('mistyped', '1'), { recursive: true });
    writeFileSync(folder.join('mistyped', 'model.yaml'), 'batching:\n  maxBatchSise: 8\n');
    const run = await runCli(['check', folder.path]).finished;
    expect(run.code).toBe(1);
    expect(run.stdout).toContain('labels.txt has 2 lines');
    expect(run.stdout).toContain('2 problems.');
    expect(run.stderr).toContain(`${folder.join('corrupt', '1', 'model.onnx')}: `);
    expect(run.stderr).toMatch(/mistyped\/model\.yaml:2:\d+: batching\.maxBatchSise: /);
  });

  it('says so when there is no such folder', async () => {
    const run = await runCli(['check', './no-such-folder']).finished;
    expect(run.code).toBe(1);
    expect(run.stderr).toContain('./no-such-folder cannot be read (ENOENT)');
  });
});
