import { EmbeddedRedis } from '../src/up/embedded-redis.ts';

// Starts a private Redis over the folder that is named, and waits to be killed.
const redis = await EmbeddedRedis.start({ dataDir: process.argv[2] ?? '' });
process.stdout.write(`${redis.pid}\n`);
await new Promise((resolve) => setTimeout(resolve, 60_000));
