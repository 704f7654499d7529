import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { runCommand } from './child-processes.mjs';

/** Where package managers put programs that a short PATH leaves out. */
const MORE_FOLDERS = ['/usr/local/bin', '/opt/homebrew/bin', '/usr/bin', '/usr/sbin'];

/**
 * @typedef {object} PackageManager
 * @property {string} command
 * @property {string[]} install the arguments before the package's name
 * @property {string[]} [refresh] fetches the package lists, where a fresh machine has none
 * @property {boolean} needsRoot
 */

/** @type {PackageManager[]} in the order in which they are looked for */
const PACKAGE_MANAGERS = [
  {
    command: 'apt-get',
    install: ['install', '--yes', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=120'],
    refresh: ['update'],
    needsRoot: true,
  },
  { command: 'dnf', install: ['install', '--assumeyes'], needsRoot: true },
  { command: 'apk', install: ['add', '--no-cache'], needsRoot: true },
  { command: 'brew', install: ['install'], needsRoot: false },
];

/**
 * The path of the first of these programs that can be run.
 * @param {string[]} names
 * @returns {string | undefined}
 */
export function findProgram(names) {
  const folders = [...(process.env.PATH ?? '').split(delimiter).filter(Boolean), ...MORE_FOLDERS];
  for (const name of names) {
    for (const folder of folders) {
      const path = join(folder, name);
      if (isExecutable(path)) return path;
    }
  }
  return undefined;
}

/** @param {string} path */
export function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** The system's package manager, if it is one that we know. */
export function findPackageManager() {
  return PACKAGE_MANAGERS.find(({ command }) => findProgram([command]) !== undefined);
}

/**
 * The line by which a person installs a package.
 * @param {PackageManager} manager
 * @param {string} name
 */
export function installLine(manager, name) {
  const verb = manager.command === 'apk' ? 'add' : 'install';
  const sudo = manager.needsRoot && process.getuid?.() !== 0 ? 'sudo ' : '';
  return `${sudo}${manager.command} ${verb} ${name}`;
}

/**
 * Installs the first of the packages that the system has, if that is possible without a question.
 * @param {PackageManager} manager
 * @param {string[]} names
 * @param {{ report: (detail: string) => void, verbose: boolean }} options
 * @returns {Promise<{ installed: boolean, output: string }>}
 */
export async function installSystemPackage(manager, names, { report, verbose }) {
  const prefix = await privilege(manager);
  if (prefix === undefined) return { installed: false, output: '' };

  const run = (args) => {
    const [command, ...rest] = [...prefix, manager.command, ...args];
    report([command, ...rest].join(' '));
    return runCommand(command, rest, {
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      onLine: report,
      verbose,
    });
  };
  let output = '';
  for (const refresh of [false, true]) {
    if (refresh && manager.refresh === undefined) break;
    if (refresh) await run(manager.refresh);
    for (const name of names) {
      const result = await run([...manager.install, name]);
      if (result.code === 0) return { installed: true, output: '' };
      output = result.output;
    }
  }
  return { installed: false, output };
}

/** What to put before the command to have the rights that it needs; undefined if we have none. */
async function privilege(manager) {
  const isRoot = process.getuid?.() === 0;
  // Homebrew refuses to run as root.
  if (!manager.needsRoot) return isRoot ? undefined : [];
  if (isRoot) return [];
  if (findProgram(['sudo']) === undefined) return undefined;
  const { code } = await runCommand('sudo', ['-n', 'true']);
  // A variable before the command, because sudo clears the environment.
  return code === 0 ? ['sudo', '-n', 'env', 'DEBIAN_FRONTEND=noninteractive'] : undefined;
}
