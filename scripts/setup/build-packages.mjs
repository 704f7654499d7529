import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { runCommand } from './child-processes.mjs';
import { inRoot, packageFolders } from './repository.mjs';
import { SetupProblem } from './setup-problem.mjs';

const BUILT_FILE = /(\.d\.ts|\.js)(\.map)?$/;

/**
 * Compiles every package; incremental, so a second call takes a moment.
 * @param {{ verbose: boolean }} options
 */
export async function buildPackages({ verbose }) {
  for (const folder of packageFolders()) removeOrphans(inRoot('packages', folder));
  const tsc = inRoot('node_modules', 'typescript', 'bin', 'tsc');
  const { code, output } = await runCommand(process.execPath, [tsc, '-b'], { verbose });
  if (code !== 0) {
    throw new SetupProblem('The TypeScript build failed; the errors are above.', output);
  }
}

/** tsc leaves the output of a source that was renamed or deleted, and it would go on working. */
function removeOrphans(packagePath) {
  const dist = join(packagePath, 'dist');
  if (!existsSync(dist)) return;
  for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !BUILT_FILE.test(entry.name)) continue;
    const built = join(entry.parentPath, entry.name);
    const source = join(packagePath, 'src', relative(dist, built).replace(BUILT_FILE, '.ts'));
    if (!existsSync(source)) rmSync(built);
  }
}
