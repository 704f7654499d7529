import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { buildPackages } from './setup/build-packages.mjs';
import { endChildrenOnSignals } from './setup/child-processes.mjs';
import { installPackages } from './setup/install-packages.mjs';
import { checkNodeVersion } from './setup/node-version.mjs';
import { createProgress } from './setup/progress.mjs';
import { CHROMIUM, ensureProgram, REDIS_SERVER } from './setup/required-programs.mjs';
import { SetupProblem } from './setup/setup-problem.mjs';

/*
 * Brings a clone to where it can run: packages, build, redis-server. Only Node's own modules may
 * be imported here, since nothing else is installed yet.
 */

/**
 * @typedef {object} SetupOptions
 * @property {string[]} args the command line; `--verbose` is ours
 * @property {'always' | 'unless-url'} redis whether a redis-server is needed even when
 *   QUERN_REDIS_URL names one (the tests kill and restart theirs)
 * @property {boolean} [browser] whether to look for Chromium too; going without is no failure
 */

/**
 * @param {SetupOptions} options
 * @returns {Promise<{ args: string[], env: NodeJS.ProcessEnv }>} the arguments that are left, and
 *   the environment for the processes that follow
 */
export async function setUp({ args, redis, browser = false }) {
  const verbose = args.includes('--verbose');
  const env = { ...process.env };
  const progress = createProgress();
  const stopWatching = endChildrenOnSignals();
  try {
    await progress.step('Node', async () => checkNodeVersion());
    await progress.step('Packages', (report) => installPackages({ report, verbose }));
    await progress.step('Build', () => buildPackages({ verbose }));
    if (redis === 'unless-url' && process.env.QUERN_REDIS_URL) {
      await progress.step('Redis', async () => 'the one at QUERN_REDIS_URL');
    } else {
      env[REDIS_SERVER.variable] = await progress.step('Redis', (report) =>
        ensureProgram(REDIS_SERVER, { report, verbose }),
      );
    }
    if (browser) {
      const path = await progress.step('Chromium', (report) => browserOrReason(report, verbose));
      if (isPath(path)) env[CHROMIUM.variable] = path;
    }
    return { args: args.filter((arg) => arg !== '--verbose'), env };
  } catch (error) {
    endWithProblem(error, verbose);
  } finally {
    stopWatching();
  }
}

async function browserOrReason(report, verbose) {
  try {
    return await ensureProgram(CHROMIUM, { report, verbose });
  } catch (error) {
    if (!(error instanceof SetupProblem)) throw error;
    return `tests in a browser will be skipped. ${error.message}`;
  }
}

function isPath(text) {
  return text.startsWith('/');
}

/** @returns {never} */
function endWithProblem(error, verbose) {
  if (!(error instanceof SetupProblem)) throw error;
  if (error.output && !verbose) process.stderr.write(`\n${error.output.trimEnd()}\n`);
  process.stderr.write(`\n${error.message}\n`);
  process.exit(1);
}

function isEntryPoint() {
  const script = process.argv[1];
  return script !== undefined && realpathSync(script) === fileURLToPath(import.meta.url);
}

if (isEntryPoint()) {
  await setUp({ args: process.argv.slice(2), redis: 'unless-url' });
}
