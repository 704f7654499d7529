/** Settings that say where programs are; all others would change what the tests see. */
const KEPT = new Set(['QUERN_REDIS_SERVER', 'QUERN_CHROMIUM']);
const KEPT_PREFIX = 'QUERN_TEST_';

/**
 * The environment without the developer's own QUERN_* settings: a test states what it needs.
 * @param {NodeJS.ProcessEnv} env
 * @returns {NodeJS.ProcessEnv}
 */
export function testEnvironment(env) {
  return Object.fromEntries(
    Object.entries(env).filter(
      ([name]) => !name.startsWith('QUERN_') || name.startsWith(KEPT_PREFIX) || KEPT.has(name),
    ),
  );
}
