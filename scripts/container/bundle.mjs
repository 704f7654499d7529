import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { inRoot, packageFolders, rootManifest } from '../setup/repository.mjs';

/*
 * node scripts/container/bundle.mjs PACKAGE FOLDER [--cuda]
 *
 * Lays out in an empty FOLDER what the image of a service holds: the built files of the package and
 * of ours that it needs, at the paths that they have in the repository, and their production
 * dependencies exactly as locked. The packages must be built and installed before: nothing but
 * the CUDA libraries, where asked for, is fetched.
 */

const SCOPE = '@quern/';
const NOT_RUN = /(\.d\.ts|\.map|\.tsbuildinfo)$/;
const WORKSPACE_FILES = ['package.json', 'pnpm-lock.yaml', 'pnpm-workspace.yaml', 'LICENSE'];

const [entry, target, ...flags] = process.argv.slice(2);
if (entry === undefined || target === undefined || !packageFolders().includes(entry)) {
  fail(
    'Usage: node scripts/container/bundle.mjs PACKAGE FOLDER [--cuda], PACKAGE one of packages/',
  );
}
const bundle = resolve(target);
if (existsSync(bundle) && readdirSync(bundle).length > 0) fail(`${bundle} is not empty`);

const needed = withDependencies(entry);
copyWorkspace();
run('npx', [
  ...['--yes', rootManifest().packageManager, '--filter', `${SCOPE}${entry}...`],
  ...['install', '--prod', '--frozen-lockfile', '--offline', '--reporter=append-only'],
]);
removeLeftovers();
if (needed.has('runtime')) trimOnnxRuntime(flags.includes('--cuda'));

/** The folder names of a package and of all of ours that it needs to run. */
function withDependencies(folder, found = new Set()) {
  found.add(folder);
  for (const name of Object.keys(manifestOf(folder).dependencies ?? {})) {
    if (!name.startsWith(SCOPE)) continue;
    const dependency = name.slice(SCOPE.length);
    if (!found.has(dependency)) withDependencies(dependency, found);
  }
  return found;
}

function manifestOf(folder) {
  return JSON.parse(readFileSync(inRoot('packages', folder, 'package.json'), 'utf8'));
}

/** pnpm wants every manifest of the workspace to be there before it trusts the lockfile. */
function copyWorkspace() {
  for (const file of WORKSPACE_FILES) cpSync(inRoot(file), join(bundle, file));
  for (const folder of packageFolders()) {
    const from = inRoot('packages', folder);
    const to = join(bundle, 'packages', folder);
    mkdirSync(to, { recursive: true });
    cpSync(join(from, 'package.json'), join(to, 'package.json'));
    if (!needed.has(folder)) continue;
    if (!existsSync(join(from, 'dist'))) fail(`packages/${folder} is not built`);
    cpSync(join(from, 'dist'), join(to, 'dist'), {
      recursive: true,
      filter: (path) => !NOT_RUN.test(path),
    });
  }
}

function removeLeftovers() {
  for (const folder of packageFolders()) {
    if (!needed.has(folder)) rmSync(join(bundle, 'packages', folder), { recursive: true });
  }
  for (const file of ['pnpm-lock.yaml', 'pnpm-workspace.yaml']) rmSync(join(bundle, file));
  removeCompiler();
}

/** Libraries name TypeScript as a peer, for their types alone. */
function removeCompiler() {
  const store = join(bundle, 'node_modules', '.pnpm');
  const folders = readdirSync(store, { withFileTypes: true }).filter((entry) =>
    entry.isDirectory(),
  );
  for (const { name } of folders) {
    if (/^(typescript|@typescript\+)/.test(name)) {
      rmSync(join(store, name), { recursive: true });
      continue;
    }
    const links = name === 'node_modules' ? store : join(store, name);
    for (const link of ['typescript', '@typescript']) {
      rmSync(join(links, 'node_modules', link), { recursive: true, force: true });
    }
  }
}

/** The package carries binaries for three operating systems, of which an image runs one. */
function trimOnnxRuntime(withCuda) {
  const library = join(bundle, 'packages', 'runtime', 'node_modules', 'onnxruntime-node');
  const binaries = join(library, 'bin', 'napi-v6');
  for (const platform of readdirSync(binaries)) {
    if (platform !== process.platform) rmSync(join(binaries, platform), { recursive: true });
  }
  for (const arch of readdirSync(join(binaries, process.platform))) {
    if (arch !== process.arch) rmSync(join(binaries, process.platform, arch), { recursive: true });
  }
  if (withCuda) {
    run(process.execPath, [join(library, 'script', 'install.js')], {
      ONNXRUNTIME_NODE_INSTALL: 'cuda12',
    });
  }
}

function run(command, args, env = {}) {
  const { status, error } = spawnSync(command, args, {
    cwd: bundle,
    env: { ...process.env, CI: 'true', ...env },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (status !== 0) fail(`${command} ${args.join(' ')} failed: ${error?.message ?? status}`);
}

/** @returns {never} */
function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}
