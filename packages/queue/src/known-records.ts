import type { WorkerRecord } from '@quern/contract';
import type { Redis } from 'ioredis';
import { KNOWN_MODELS_KEY } from './keys.ts';
import { hasLoaded, type KnownRecord, knownRecordSchema, mergeRecord } from './known-record.ts';
import { parseRecord } from './parse-json.ts';

/** Other workers write the same record rarely: whoever loses so often tries at the next heartbeat. */
const MAX_ATTEMPTS = 20;

/**
 * Writes a field only if it is still what was read, so that of two workers that merge at a time the
 * second one merges again.
 *
 * KEYS: hash. ARGV: field, what was read (empty: nothing), what to write.
 */
const REPLACE_IF_UNCHANGED = `
local known = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if known ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
`;

/** Merges what a worker has loaded into the hash of known models. */
export async function recordModels(
  redis: Redis,
  { models, startedAtMs }: WorkerRecord,
  nowMs: number,
): Promise<void> {
  let missing = models.filter(hasLoaded);
  for (let attempt = 0; attempt < MAX_ATTEMPTS && missing.length > 0; attempt++) {
    const texts = await redis.hmget(KNOWN_MODELS_KEY, ...missing.map(({ name }) => name));
    const written = await Promise.all(
      missing.map(async (model, i) => {
        const text = texts[i] ?? null;
        const [known] = parseRecord(knownRecordSchema, text);
        const merged = JSON.stringify(mergeRecord(known, { model, startedAtMs, nowMs }));
        return merged === text || (await replace(redis, model.name, text, merged));
      }),
    );
    missing = missing.filter((_, i) => written[i] === false);
  }
}

async function replace(
  redis: Redis,
  name: string,
  before: string | null,
  after: string,
): Promise<boolean> {
  const replaced = await redis.eval(
    REPLACE_IF_UNCHANGED,
    1,
    KNOWN_MODELS_KEY,
    name,
    before ?? '',
    after,
  );
  return replaced === 1;
}

/** Every model that some worker has loaded at some time. */
export async function readRecords(redis: Redis): Promise<KnownRecord[]> {
  const texts = Object.values(await redis.hgetall(KNOWN_MODELS_KEY));
  return texts.flatMap((text) => parseRecord(knownRecordSchema, text));
}
