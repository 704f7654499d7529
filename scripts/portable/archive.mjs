import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '../setup/child-processes.mjs';
import { SetupProblem } from '../setup/setup-problem.mjs';

/** xz over gzip: it takes a third less, and unpacks as fast. */
const COMPRESSION = '-6 -T0';

/**
 * Packs the folder `name` in `parent` beside itself, and removes it.
 * @param {string} parent
 * @param {string} name
 * @returns {Promise<string>} the archive's path
 * @throws {SetupProblem} if tar or xz is missing or fails
 */
export async function createArchive(parent, name) {
  const archive = join(parent, `${name}.tar.xz`);
  const args = ['--create', '--xz', '--file', archive, '--directory', parent];
  const owner = ['--owner=0', '--group=0', '--numeric-owner', '--sort=name'];
  const { code, output } = await runCommand('tar', [...args, ...owner, name], {
    env: { ...process.env, XZ_OPT: COMPRESSION },
  });
  if (code !== 0) throw new SetupProblem('tar could not write the archive; it needs xz.', output);
  rmSync(join(parent, name), { recursive: true });
  return archive;
}
