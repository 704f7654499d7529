import { existsSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { arch, platform } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { createArchive } from './portable/archive.mjs';
import { layOutFolder } from './portable/folder.mjs';
import { createProgress } from './setup/progress.mjs';
import { inRoot, rootManifest } from './setup/repository.mjs';
import { SetupProblem } from './setup/setup-problem.mjs';
import { setUp } from './setup.mjs';

/*
 * npm run bundle [-- --folder FOLDER]
 *
 * Makes bundle/quern-VERSION-PLATFORM-ARCH.tar.xz: all that Quern needs on a machine of this kind
 * that reaches no registry. With --folder it lays out the files in FOLDER, which must not exist yet,
 * and leaves the archive out.
 */

const { values } = parseArgs({ options: { folder: { type: 'string' } } });
const { env } = await setUp({ args: [], redis: 'always' });
const redisServer = env.QUERN_REDIS_SERVER;
const progress = createProgress();

try {
  if (values.folder === undefined) await makeArchive();
  else await makeFolder(resolve(values.folder));
} catch (error) {
  if (!(error instanceof SetupProblem)) throw error;
  process.stderr.write(`${error.output ?? ''}\n${error.message}\n`);
  process.exit(1);
}

async function makeArchive() {
  const name = `quern-${rootManifest().version}-${platform()}-${arch()}`;
  const parent = inRoot('bundle');
  rmSync(join(parent, name), { recursive: true, force: true });
  mkdirSync(parent, { recursive: true });
  await makeFolder(join(parent, name));
  const archive = await progress.step('Archive', () => createArchive(parent, name));
  const megabytes = (statSync(archive).size / 1e6).toFixed(1);
  process.stdout.write(`
${archive} (${megabytes} MB)
Unpack it anywhere and run: ${join(name, 'quern')} up
`);
}

async function makeFolder(folder) {
  if (existsSync(folder)) {
    throw new SetupProblem(`${folder} exists already; name a folder that is to be made.`);
  }
  await progress.step('Files', () => layOutFolder(folder, redisServer));
}
