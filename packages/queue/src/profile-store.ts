import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { profileResetChannel, profilesKey } from './keys.ts';
import { parseRecord } from './parse-json.ts';
import {
  mergeProfile,
  PROFILE_TTL_MS,
  type ProfileRecord,
  profileField,
  profileRecordSchema,
  profileText,
} from './profile-record.ts';
import { resetMessage } from './profile-resets.ts';

/** A model keeps at most so many records: versions times providers times kinds of device. */
const MAX_RECORDS = 32;
/** Others save rarely: whoever loses so often saves the next time. */
const MAX_ATTEMPTS = 5;

/** Field of the mark that the last reset of a version left. */
const resetField = (version: number): string => `reset|${version}`;

/**
 * Writes a record if it is still what was merged with, and if the version was not reset since the
 * writer read it. Answers with the reset's mark if it was, else 1 or 0.
 *
 * KEYS: hash. ARGV: field, what was read (empty: nothing), what to write, field of the reset's mark,
 * the mark that the writer knows, TTL in ms.
 */
const SAVE = `
local mark = redis.call('HGET', KEYS[1], ARGV[4])
if mark and mark ~= ARGV[5] then return mark end
if (redis.call('HGET', KEYS[1], ARGV[1]) or '') ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[6])
return 1
`;

/**
 * Removes every record of some versions and leaves a mark, so that a worker that was not told does not
 * write back what it knows. Answers with the number of records.
 *
 * KEYS: hash. ARGV: mark, TTL in ms, channel, message, versions.
 */
const RESET = `
local removed = 0
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  for i = 5, #ARGV do
    local prefix = ARGV[i] .. '|'
    if string.sub(field, 1, #prefix) == prefix then removed = removed + redis.call('HDEL', KEYS[1], field) end
  end
end
for i = 5, #ARGV do redis.call('HSET', KEYS[1], 'reset|' .. ARGV[i], ARGV[1]) end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('PUBLISH', ARGV[3], ARGV[4])
return removed
`;

/** What is stored of a model. */
export interface StoredProfiles {
  readonly records: readonly ProfileRecord[];
  /** By version, the mark of its last reset; to be given back when saving. */
  readonly resets: ReadonlyMap<number, string>;
}

/** `reset` is the mark of a reset that the writer had not heard of: nothing was saved. */
export type ProfileSaved = { readonly saved: boolean } | { readonly reset: string };

/**
 * Run times of a model's versions in Redis, so that a new replica starts informed: one hash for each
 * model, a record for each version, execution provider and kind of device. It ends four weeks after
 * anybody last saved.
 *
 * Replicas on the same kind of device save into the same record: each merges its lanes into what is
 * stored, and of the same lane the last writer wins.
 */
export class ProfileStore {
  readonly #redis: Redis;

  constructor(redis: Redis) {
    this.#redis = redis;
  }

  /** Everything that is stored of a model and not too old, what was saved last first. */
  async load(model: string): Promise<StoredProfiles> {
    const fields = Object.entries(await this.#redis.hgetall(profilesKey(model)));
    const oldestMs = Date.now() - PROFILE_TTL_MS;
    const records = fields
      .flatMap(([, text]) => parseRecord(profileRecordSchema, text))
      .filter(({ savedAtMs }) => savedAtMs > oldestMs)
      .sort((a, b) => b.savedAtMs - a.savedAtMs)
      .slice(0, MAX_RECORDS);
    const marks = fields.flatMap(([field, mark]): [number, string][] =>
      field.startsWith('reset|') ? [[Number(field.slice('reset|'.length)), mark]] : [],
    );
    return { records, resets: new Map(marks) };
  }

  /** Removes the records that `load` leaves out: too old, too many, or of another release. */
  async prune(model: string): Promise<void> {
    const kept = new Set((await this.load(model)).records.map(profileField));
    const fields = await this.#redis.hkeys(profilesKey(model));
    const stale = fields.filter((field) => !field.startsWith('reset|') && !kept.has(field));
    if (stale.length > 0) await this.#redis.hdel(profilesKey(model), ...stale);
  }

  /**
   * Merges a record into what is stored.
   * @param knownReset the mark of the version's last reset that the writer heard of
   */
  async save(
    model: string,
    own: ProfileRecord,
    knownReset: string | undefined,
  ): Promise<ProfileSaved> {
    const field = profileField(own);
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const text = await this.#redis.hget(profilesKey(model), field);
      const [stored] = parseRecord(profileRecordSchema, text);
      const answer = await this.#redis.eval(
        SAVE,
        1,
        profilesKey(model),
        field,
        text ?? '',
        profileText(mergeProfile(stored, own)),
        resetField(own.version),
        knownReset ?? '',
        PROFILE_TTL_MS,
      );
      if (typeof answer === 'string') return { reset: answer };
      if (answer === 1) return { saved: true };
    }
    return { saved: false };
  }

  /**
   * Forgets what is known of some versions, here and in the workers that run.
   * @returns how many records there were
   */
  async reset(model: string, versions: readonly number[]): Promise<number> {
    const mark = randomUUID();
    const removed = await this.#redis.eval(
      RESET,
      1,
      profilesKey(model),
      mark,
      PROFILE_TTL_MS,
      profileResetChannel(model),
      resetMessage({ mark, versions }),
      ...versions,
    );
    return Number(removed);
  }
}
