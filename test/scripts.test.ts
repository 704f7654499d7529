import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { runCommand, runInForeground } from '../scripts/setup/child-processes.mjs';
import { checkNodeVersion } from '../scripts/setup/node-version.mjs';
import { ensureProgram, REDIS_SERVER } from '../scripts/setup/required-programs.mjs';
import { findProgram } from '../scripts/setup/system-packages.mjs';
import { testEnvironment } from '../scripts/testing/environment.mjs';
import { countReport, readReport } from '../scripts/testing/report.mjs';

const QUIET = { report: () => {}, verbose: false };
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'quern-scripts-'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

describe('the last line of npm test', () => {
  const file = (status: string, ...tests: string[]) => ({
    name: 'a.test.ts',
    status,
    assertionResults: tests.map((outcome) => ({ status: outcome })),
  });

  test('counts what passed, failed and was skipped', () => {
    const testResults = [
      file('passed', 'passed', 'passed', 'skipped', 'todo'),
      file('failed', 'failed', 'passed'),
    ];
    expect(countReport({ testResults }, 1).counts).toEqual({ passed: 3, failed: 1, skipped: 2 });
  });

  test.each([
    ['a file that does not load', [file('failed'), file('passed', 'passed')], 1, 1],
    ['a file whose hook fails', [file('failed', 'skipped', 'passed')], 1, 1],
    ['an error outside of all tests', [file('passed', 'passed')], 1, 1],
    ['no test at all', [], 0, 0],
    ['skipped tests alone', [file('passed', 'skipped')], 0, 0],
  ])('counts %s as a failure', (_title, testResults, exitCode, passed) => {
    const { counts, notes } = countReport({ testResults }, exitCode);
    expect(counts).toMatchObject({ passed, failed: 1 });
    expect(notes).toHaveLength(1);
  });

  test('counts a run without a report as a failure', () => {
    expect(readReport(join(folder, 'none.json'), 134).counts).toMatchObject({ failed: 1 });
  });
});

test("tests do not see a developer's settings", () => {
  const env = { PATH: '/bin', QUERN_API_PORT: '1', QUERN_REDIS_SERVER: '/r', QUERN_TEST_X: '2' };
  expect(testEnvironment(env)).toEqual({
    PATH: '/bin',
    QUERN_REDIS_SERVER: '/r',
    QUERN_TEST_X: '2',
  });
});

describe('the Node version', () => {
  test.each(['20.19.0', '20.20.2', '22.0.0', '24.1.0'])('%s will do', (version) => {
    expect(checkNodeVersion(version)).toContain(version);
  });

  test.each(['20.18.3', '18.20.0'])('%s is refused with the one that is needed', (version) => {
    expect(() => checkNodeVersion(version)).toThrow(/needs Node\.js >=20\.19, but this is/);
  });
});

describe('a program that is needed', () => {
  test('is taken from the variable that names it', async () => {
    const path = executable('my-redis');
    vi.stubEnv('QUERN_REDIS_SERVER', path);
    await expect(ensureProgram(REDIS_SERVER, QUIET)).resolves.toBe(path);
  });

  test('named by a wrong variable stops with the name of the variable', async () => {
    vi.stubEnv('QUERN_REDIS_SERVER', join(folder, 'none'));
    await expect(ensureProgram(REDIS_SERVER, QUIET)).rejects.toThrow(
      /QUERN_REDIS_SERVER is .*none/,
    );
  });

  test('is found on the PATH, unless it is not executable', () => {
    vi.stubEnv('PATH', folder);
    writeFileSync(join(folder, 'quern-plain'), '');
    const path = executable('quern-program');
    expect(findProgram(['quern-plain', 'quern-program'])).toBe(path);
  });

  test('that no package manager offers stops with what to do', async () => {
    const program = {
      title: 'Millstone',
      variable: 'QUERN_TEST_MILLSTONE',
      names: ['quern-no-such-program'],
      elsewhere: [],
      packages: { 'apt-get': [], dnf: [], apk: [], brew: [] },
    };
    await expect(ensureProgram(program, QUIET)).rejects.toThrow(
      'Millstone is missing. Install it, or set QUERN_TEST_MILLSTONE to its path.',
    );
  });

  describe('and can be installed', () => {
    const program = {
      title: 'Millstone',
      variable: 'QUERN_TEST_MILLSTONE',
      names: ['quern-millstone'],
      elsewhere: [],
      packages: { 'apt-get': ['millstone'], dnf: [], apk: [], brew: [] },
    };
    beforeEach(() => vi.stubEnv('PATH', `${folder}:${process.env['PATH']}`));

    test('is, after the package lists were fetched, without a question', async () => {
      executable('sudo', '[ "$1" = -n ] || exit 1; shift; exec "$@"');
      executable(
        'apt-get',
        `echo "$@" >> ${folder}/log
         [ "$1" = update ] && touch ${folder}/lists && exit 0
         [ -e ${folder}/lists ] || exit 100
         touch ${folder}/quern-millstone; chmod +x ${folder}/quern-millstone`,
      );
      const path = join(folder, 'quern-millstone');
      await expect(ensureProgram(program, QUIET)).resolves.toBe(path);
      const log = readFileSync(join(folder, 'log'), 'utf8').trim().split('\n');
      expect(log.map((line) => line.split(' ')[0])).toEqual(['install', 'update', 'install']);
      expect(log.at(-1)).toMatch(/ --yes .* millstone$/);
    });

    test('but is refused stops with the line to type and what the package manager said', async () => {
      executable('sudo', 'shift; exec "$@"');
      executable('apt-get', 'echo "no such package"; exit 100');
      await expect(ensureProgram(program, QUIET)).rejects.toMatchObject({
        message: expect.stringMatching(/apt-get install millstone\n/),
        output: 'no such package\n',
      });
    });
  });

  function executable(name: string, script = ''): string {
    const path = join(folder, name);
    writeFileSync(path, `#!/bin/sh\n${script}\n`);
    chmodSync(path, 0o755);
    return path;
  }
});

describe('a child process', () => {
  test('gives its exit code and the end of what it printed', async () => {
    const script = 'console.log("one"); console.error("two"); process.exit(3)';
    const lines: string[] = [];
    const result = await runCommand(process.execPath, ['-e', script], {
      onLine: (line) => lines.push(line),
    });
    expect(result.code).toBe(3);
    expect(result.output.trim().split('\n').sort()).toEqual(['one', 'two']);
    expect(lines.length).toBeGreaterThan(0);
  });

  test('that cannot be started says which', async () => {
    await expect(runCommand('quern-no-such-program', [])).rejects.toThrow(
      /Cannot run quern-no-such-program/,
    );
  });

  test('in the foreground gives its exit code, 128 + n for a signal', async () => {
    const run = (script: string) => runInForeground(['-e', script], process.env);
    await expect(run('process.exit(7)')).resolves.toBe(7);
    await expect(run('process.kill(process.pid, "SIGTERM")')).resolves.toBe(143);
  });
});
