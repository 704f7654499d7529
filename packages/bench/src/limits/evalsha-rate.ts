import { Redis } from 'ioredis';

const IN_FLIGHT = 64;

/** As little as a queue can do in one script: note a job, put it in a list, take it, and forget it. */
const SCRIPT = `
redis.call('HSET', KEYS[1], 'data', ARGV[1])
redis.call('LPUSH', KEYS[2], KEYS[1])
redis.call('RPOP', KEYS[2])
return redis.call('DEL', KEYS[1])`;

/**
 * The limit of Redis for anything that moves jobs by scripts: one client, 64 calls of a script of four
 * commands in flight, keys and connection of its own.
 * @returns scripts per second
 */
export async function evalshaPerSecond(redisUrl: string, seconds: number): Promise<number> {
  const redis = new Redis(redisUrl);
  try {
    const sha = String(await redis.script('LOAD', SCRIPT));
    const startedAtMs = performance.now();
    const endMs = startedAtMs + seconds * 1000;
    let calls = 0;
    const call = async (caller: number): Promise<void> => {
      while (performance.now() < endMs) {
        await redis.evalsha(sha, 2, `{bench}:job:${caller}`, '{bench}:list', '0123456789abcdef');
        calls += 1;
      }
    };
    await Promise.all(Array.from({ length: IN_FLIGHT }, (_, caller) => call(caller)));
    return (calls * 1000) / (performance.now() - startedAtMs);
  } finally {
    redis.disconnect();
  }
}
