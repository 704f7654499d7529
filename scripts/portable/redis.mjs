import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { runCommand } from '../setup/child-processes.mjs';
import { SetupProblem } from '../setup/setup-problem.mjs';

/** A line of ldd: what is asked for and where it was found, or the loader by its path alone. */
const LIBRARY = /^\s*(?:\S+ => )?(\/\S+) \(0x[0-9a-f]+\)$/;
const LOADER = /\/ld-(linux|musl)[^/]*$/;

/**
 * Copies redis-server with the shared libraries that it asks for, its loader included, so that it runs
 * under any distribution of this architecture. Where there is no ldd (macOS) nothing is copied, and
 * `quern up` looks for a redis-server there as everywhere.
 * @param {string} redisServer
 * @param {string} folder gets bin/redis-server and lib/redis/
 * @throws {SetupProblem} if its libraries cannot be told
 */
export async function copyRedis(redisServer, folder) {
  if (process.platform !== 'linux') return;
  const { code, output } = await runCommand('ldd', [redisServer]);
  const libraries = output.split('\n').flatMap((line) => LIBRARY.exec(line)?.[1] ?? []);
  const loader = libraries.find((path) => LOADER.test(path));
  if (code !== 0 || loader === undefined) {
    throw new SetupProblem(`ldd cannot tell which libraries ${redisServer} needs.`, output);
  }
  const target = join(folder, 'lib', 'redis');
  mkdirSync(target, { recursive: true });
  copyFileSync(redisServer, join(target, 'redis-server'));
  for (const path of libraries) copyFileSync(path, join(target, basename(path)));
  const launcher = join(folder, 'bin', 'redis-server');
  writeFileSync(launcher, launcherOver(basename(loader)));
  chmodSync(launcher, 0o755);
}

function launcherOver(loader) {
  return `#!/bin/sh
lib=$(CDPATH= cd -- "$(dirname -- "$(readlink -f -- "$0")")/../lib/redis" && pwd)
exec "$lib/${loader}" --library-path "$lib" "$lib/redis-server" "$@"
`;
}
