import { SetupProblem } from './setup-problem.mjs';
import {
  findPackageManager,
  findProgram,
  installLine,
  installSystemPackage,
  isExecutable,
} from './system-packages.mjs';

/**
 * @typedef {object} Program
 * @property {string} title
 * @property {string} variable the environment variable that may name the binary, and by which
 *   child processes learn where it is
 * @property {string[]} names of the binary
 * @property {string[]} elsewhere absolute paths outside of any PATH
 * @property {Record<string, string[]>} packages by package manager, the preferred one first
 */

/** @type {Program} */
export const REDIS_SERVER = {
  title: 'redis-server',
  variable: 'QUERN_REDIS_SERVER',
  names: ['redis-server', 'valkey-server'],
  elsewhere: [],
  packages: {
    'apt-get': ['redis-server', 'valkey-server'],
    dnf: ['redis', 'valkey'],
    apk: ['redis', 'valkey'],
    brew: ['redis'],
  },
};

/** @type {Program} */
export const CHROMIUM = {
  title: 'Chromium',
  variable: 'QUERN_CHROMIUM',
  names: ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'],
  elsewhere: [
    '/Applications/Chromium.app/Contents/MacOS/Chromium',
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  ],
  packages: { 'apt-get': ['chromium'], dnf: ['chromium'], apk: ['chromium'], brew: [] },
};

/**
 * Finds a program, or installs it where that needs no question.
 * @param {Program} program
 * @param {{ report: (detail: string) => void, verbose: boolean }} options
 * @returns {Promise<string>} its path
 * @throws {SetupProblem} with the line to type
 */
export async function ensureProgram(program, options) {
  const named = process.env[program.variable];
  if (named) {
    if (isExecutable(named)) return named;
    throw new SetupProblem(
      `${program.variable} is ${named}, which is not a file that can be run. ` +
        `Correct it, or unset it to have ${program.title} looked for.`,
    );
  }
  const found = locate(program);
  if (found !== undefined) return found;

  const manager = findPackageManager();
  const packages = manager === undefined ? [] : program.packages[manager.command];
  if (manager === undefined || packages.length === 0) {
    throw new SetupProblem(
      `${program.title} is missing. Install it, or set ${program.variable} to its path.`,
    );
  }
  const { installed, output } = await installSystemPackage(manager, packages, options);
  const path = installed ? locate(program) : undefined;
  if (path === undefined) {
    throw new SetupProblem(
      `${program.title} is missing. Install it with:\n\n    ${installLine(manager, packages[0])}\n`,
      output,
    );
  }
  return path;
}

function locate(program) {
  return findProgram(program.names) ?? program.elsewhere.find(isExecutable);
}
