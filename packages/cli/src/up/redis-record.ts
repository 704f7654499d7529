import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { RedisUrl } from './redis-address.ts';

const FILE = 'redis.json';

const recordSchema = z.object({
  url: z.custom<RedisUrl>(
    (value) =>
      typeof value === 'string' && /^(unix:\/\/\/.+|redis:\/\/127\.0\.0\.1:\d+)$/.test(value),
  ),
  process: z.object({ pid: z.number().int().positive(), startedAt: z.string() }),
});

/** The Redis that an `up` has started in a data folder: how a later one finds it again. */
export type RedisRecord = z.infer<typeof recordSchema>;

/** What the last `up` has written down, if it did not end in order. */
export function readRedisRecord(dataDir: string): RedisRecord | undefined {
  try {
    return recordSchema.parse(JSON.parse(readFileSync(join(dataDir, FILE), 'utf8')));
  } catch {
    return undefined;
  }
}

export function writeRedisRecord(dataDir: string, record: RedisRecord): void {
  writeFileSync(join(dataDir, FILE), JSON.stringify(record));
}

export function removeRedisRecord(dataDir: string): void {
  rmSync(join(dataDir, FILE), { force: true });
}
