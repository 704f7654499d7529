import { chmodSync, copyFileSync, cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '../setup/child-processes.mjs';
import { inRoot } from '../setup/repository.mjs';
import { SetupProblem } from '../setup/setup-problem.mjs';
import { copyRedis } from './redis.mjs';

const READ_ME = `Quern, complete: Node, Redis, the services and example models. Nothing is installed or fetched.

  ./quern up                          starts everything and makes a first prediction
  ./quern up --models /srv/models     with your own models
  ./quern --help                      all commands

The environment is read as everywhere (QUERN_API_PORT, QUERN_REDIS_URL, ...). Without a folder
"models" where you are, and without QUERN_MODELS, the example models of this folder are served.
`;

const LAUNCHER = `#!/bin/sh
# Runs Quern from this folder alone, wherever it lies.
here=$(CDPATH= cd -- "$(dirname -- "$(readlink -f -- "$0")")" && pwd)
if [ -x "$here/bin/redis-server" ]; then
  export QUERN_REDIS_SERVER="\${QUERN_REDIS_SERVER:-$here/bin/redis-server}"
fi
[ -d models ] || export QUERN_MODELS="\${QUERN_MODELS:-$here/models}"
exec "$here/bin/node" "$here/packages/cli/bin/quern.mjs" "$@"
`;

/**
 * Lays out all that Quern needs to run on another machine of this platform.
 * @param {string} folder absolute; made here
 * @param {string} redisServer path of the redis-server to take along
 * @throws {SetupProblem}
 */
export async function layOutFolder(folder, redisServer) {
  const script = inRoot('scripts', 'container', 'bundle.mjs');
  const { code, output } = await runCommand(process.execPath, [script, 'cli', folder]);
  if (code !== 0) throw new SetupProblem('The files could not be laid out.', output);
  mkdirSync(join(folder, 'bin'));
  copyFileSync(process.execPath, join(folder, 'bin', 'node'));
  cpSync(inRoot('packages', 'cli', 'bin'), join(folder, 'packages', 'cli', 'bin'), {
    recursive: true,
  });
  cpSync(inRoot('models'), join(folder, 'models'), { recursive: true });
  await copyRedis(redisServer, folder);
  writeFileSync(join(folder, 'README'), READ_ME);
  writeFileSync(join(folder, 'quern'), LAUNCHER);
  chmodSync(join(folder, 'quern'), 0o755);
}
