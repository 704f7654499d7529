import { runInForeground } from './setup/child-processes.mjs';
import { setUp } from './setup.mjs';

// `npm start`: set up, then the embedded all-in-one.
const { args, env } = await setUp({ args: process.argv.slice(2), redis: 'unless-url' });
process.exitCode = await runInForeground(['packages/cli/bin/quern.mjs', 'up', ...args], env);
