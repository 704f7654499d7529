import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { runCommand } from './child-processes.mjs';
import { inRoot, packageFolders, rootManifest } from './repository.mjs';
import { SetupProblem } from './setup-problem.mjs';

const STAMP = inRoot('node_modules', '.quern-setup');

/**
 * Installs exactly what the lockfile says, unless that is what is there already: a stamp in
 * node_modules keeps a second start from needing the network.
 * @param {{ report: (detail: string) => void, verbose: boolean }} options
 * @returns {Promise<string>} what to print
 */
export async function installPackages({ report, verbose }) {
  const fingerprint = fingerprintOfDependencies();
  if (isInstalled(fingerprint)) return 'up to date';

  rmSync(STAMP, { force: true });
  const packageManager = rootManifest().packageManager;
  report(`${packageManager} install`);
  // npm's remarks on its own configuration are no progress.
  const onLine = (line) => line.startsWith('npm warn') || report(line);
  const { code, output } = await runCommand(
    'npx',
    [
      '--yes',
      packageManager,
      'install',
      '--frozen-lockfile',
      '--prod=false',
      '--reporter=append-only',
    ],
    // CI keeps pnpm from asking before it replaces a node_modules made by another tool.
    { env: { ...process.env, CI: 'true' }, onLine, verbose },
  );
  if (code !== 0) {
    throw new SetupProblem(
      `Installing the packages failed (npx ${packageManager} install ended with ${code}). ` +
        'Check that the npm registry can be reached and run the command again.',
      output,
    );
  }
  writeFileSync(STAMP, fingerprint);
  return 'installed';
}

/** Everything that decides what belongs into node_modules, as one hash. */
function fingerprintOfDependencies() {
  const hash = createHash('sha256');
  const manifests = packageFolders().map((folder) => `packages/${folder}/package.json`);
  for (const file of ['pnpm-lock.yaml', 'pnpm-workspace.yaml', 'package.json', ...manifests]) {
    const path = inRoot(file);
    hash.update(`${file}\0${existsSync(path) ? readFileSync(path, 'utf8') : ''}\0`);
  }
  const nodeMajor = process.versions.node.split('.')[0];
  hash.update(`${nodeMajor} ${process.platform} ${process.arch} ${inRoot()}`);
  return `${hash.digest('hex')}\n`;
}

function isInstalled(fingerprint) {
  if (!existsSync(STAMP) || readFileSync(STAMP, 'utf8') !== fingerprint) return false;
  return packageFolders()
    .filter(hasDependencies)
    .every((folder) => existsSync(inRoot('packages', folder, 'node_modules')));
}

function hasDependencies(folder) {
  const path = inRoot('packages', folder, 'package.json');
  if (!existsSync(path)) return false;
  const { dependencies, devDependencies } = JSON.parse(readFileSync(path, 'utf8'));
  return Object.keys({ ...dependencies, ...devDependencies }).length > 0;
}
