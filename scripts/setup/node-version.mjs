import { rootManifest } from './repository.mjs';
import { SetupProblem } from './setup-problem.mjs';

/**
 * Stops when Node.js is older than `engines.node` of the root package.json asks for.
 * @param {string} version such as "20.19.0"
 * @returns {string} what to print
 */
export function checkNodeVersion(version = process.versions.node) {
  const range = rootManifest().engines.node;
  const wanted = numbers(range.replace('>=', ''));
  const got = numbers(version);
  const isNewEnough = got[0] !== wanted[0] ? got[0] > wanted[0] : got[1] >= wanted[1];
  if (!isNewEnough) {
    throw new SetupProblem(
      `Quern needs Node.js ${range}, but this is ${version} (${process.execPath}). ` +
        'Install a current version from https://nodejs.org or with your version manager.',
    );
  }
  return `Node.js ${version}`;
}

function numbers(version) {
  return version.trim().split('.').map(Number);
}
