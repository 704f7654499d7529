import type { Redis } from 'ioredis';

/** BullMQ's scripts need this. */
const OLDEST_VERSION: readonly [number, number] = [6, 2];

/**
 * Looks at the settings of Redis on which Quern's guarantees rest.
 * @returns one clear warning for each that does not hold; none is fatal
 */
export async function checkRedis(redis: Redis): Promise<string[]> {
  const info = parseInfo(await redis.info());
  const warnings: string[] = [];
  const version = info.get('redis_version') ?? 'unknown';
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major < OLDEST_VERSION[0] || (major === OLDEST_VERSION[0] && minor < OLDEST_VERSION[1])) {
    warnings.push(`Redis is version ${version}; ${OLDEST_VERSION.join('.')} or newer is needed.`);
  }
  const policy = info.get('maxmemory_policy') ?? 'unknown';
  if (policy !== 'noeviction') {
    warnings.push(
      `Redis has maxmemory-policy ${policy}: it may evict predictions. Set "maxmemory-policy noeviction".`,
    );
  }
  if (info.get('aof_enabled') !== '1') {
    warnings.push(
      'Redis has no append-only file: a restart can lose accepted predictions. Set "appendonly yes".',
    );
  }
  return warnings;
}

function parseInfo(text: string): Map<string, string> {
  const lines = text.split(/\r?\n/).filter((line) => line.includes(':'));
  return new Map(
    lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), line.slice(colon + 1)];
    }),
  );
}
