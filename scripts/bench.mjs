import { runInForeground } from './setup/child-processes.mjs';
import { setUp } from './setup.mjs';

// `npm run bench`: set up, then the benchmarks over a redis-server of their own.
const { args, env } = await setUp({ args: process.argv.slice(2), redis: 'always' });
process.exitCode = await runInForeground(['packages/bench/dist/main.js', ...args], env);
