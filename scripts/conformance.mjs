import { runInForeground } from './setup/child-processes.mjs';
import { setUp } from './setup.mjs';

// `npm run conformance`: set up, then clients that other people wrote against a live Quern.
const { args, env } = await setUp({ args: process.argv.slice(2), redis: 'always' });
process.exitCode = await runInForeground(
  ['--conditions=@quern/source', '--import', 'tsx', 'test/conformance/main.ts', ...args],
  env,
);
