import { CommanderError } from 'commander';
import { describe, expect, it } from 'vitest';
import { runInProcess } from './run-in-process.ts';

describe('the command line', () => {
  it.each([
    [['predict', 'digits'], "missing required argument 'input'"],
    [['predict', 'digits', '{}', '--timeout', 'soon'], 'Expected seconds'],
    [['predict', 'digits', '{}', '--timeout', '0'], 'Expected seconds'],
    [['predict', 'digits', '{}', '--priority', 'urgent'], 'Allowed choices are high, normal, low'],
    [['up', '--workers', '0'], 'Expected a whole number from 1 to 64'],
    [['up', '--wrokers', '2'], 'Did you mean --workers?'],
    [['chekc', './models'], 'Did you mean check?'],
    [['check'], "missing required argument 'models-dir'"],
  ])('refuses %j', async (args, message) => {
    const run = await runInProcess(args);
    expect(run.error).toBeInstanceOf(CommanderError);
    expect(run.error).not.toMatchObject({ exitCode: 0 });
    expect(run.stderr).toContain(message);
    expect(run.stdout).toBe('');
  });

  it('refuses a URL that is none', async () => {
    const run = await runInProcess(['models', '--url', 'localhost:8080']);
    expect(run.error).toMatchObject({ name: 'UsageError' });
    expect(String(run.error)).toContain('"localhost:8080", expected http://HOST:PORT');
  });

  it('prints its version', async () => {
    const run = await runInProcess(['--version']);
    expect(run.stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect(run.error).toMatchObject({ exitCode: 0 });
  });

  it.each(['up', 'predict', 'models', 'check'])('shows examples for %s', async (command) => {
    const run = await runInProcess([command, '--help']);
    expect(run.stdout).toMatch(new RegExp(`Examples?:\\n(.*\\n)*.*quern ${command}`));
  });
});
