import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';
import { z } from 'zod';
import { killsKey, QUARANTINE_CHANNEL, QUARANTINED_MODELS_KEY, quarantineKey } from './keys.ts';
import { parseRecord } from './parse-json.ts';

const quarantinedInputSchema = z.object({
  fingerprint: z.string(),
  version: z.number().int(),
  /** How it ended the model's process the last time. */
  reason: z.string(),
  sinceMs: z.number(),
  untilMs: z.number(),
});
/** An input of one model version that is refused. */
export type QuarantinedInput = z.infer<typeof quarantinedInputSchema>;

/** A model has no more inputs in quarantine than about this: the one whose time is up first makes room. */
const MAX_INPUTS = 1000;

/** Enough to be one input's own, and to be copied from a terminal. */
const FINGERPRINT_LENGTH = 32;

/**
 * A digest of an input and nothing else: not of who sent it, under which id or how urgent it is.
 * @param message the input as `encodeTensors` writes it
 */
export function inputFingerprint(model: string, version: number, message: Uint8Array): string {
  const hash = createHash('sha256').update(`${model}:${version}:`).update(message);
  return hash.digest('hex').slice(0, FINGERPRINT_LENGTH);
}

/**
 * Inputs in quarantine, as they lie in Redis: a hash for each model, counts of kills under keys that end
 * by themselves, and one index of the models concerned, so that who checks inputs reads a single empty
 * answer while there are none.
 */
export class QuarantineStore {
  readonly #redis: Redis;

  constructor(redis: Redis) {
    this.#redis = redis;
  }

  /**
   * Notes that an input has killed a runner, for `windowMs`.
   * @returns how often it has, within that time of each other, over all workers
   */
  async countKill(model: string, fingerprint: string, windowMs: number): Promise<number> {
    const key = killsKey(model, fingerprint);
    const kills = await this.#redis.incr(key);
    await this.#redis.pexpire(key, windowMs);
    return kills;
  }

  /** Forgets the kills of an input that turned out not to be at fault. */
  async forgetKills(model: string, fingerprint: string): Promise<void> {
    await this.#redis.del(killsKey(model, fingerprint));
  }

  /** Refuses an input from now on; all that check inputs are told. */
  async add(model: string, input: QuarantinedInput): Promise<void> {
    const key = quarantineKey(model);
    const leftMs = Math.max(1, input.untilMs - Date.now());
    await this.#redis
      .multi()
      .hset(key, input.fingerprint, JSON.stringify(input))
      .pexpire(key, leftMs)
      .del(killsKey(model, input.fingerprint))
      .exec();
    await this.#makeRoom(model);
    await this.#redis.zadd(QUARANTINED_MODELS_KEY, input.untilMs, model);
    await this.#announce(model);
  }

  async #makeRoom(model: string): Promise<void> {
    const key = quarantineKey(model);
    if ((await this.#redis.hlen(key)) <= MAX_INPUTS) return;
    const inputs = (await this.#read(model)).sort((a, b) => a.untilMs - b.untilMs);
    const gone = inputs.slice(0, inputs.length - MAX_INPUTS);
    if (gone.length > 0) await this.#redis.hdel(key, ...gone.map((input) => input.fingerprint));
  }

  /** The inputs of a model that are refused now, the latest first. */
  async list(model: string): Promise<QuarantinedInput[]> {
    const nowMs = Date.now();
    const inputs = await this.#read(model);
    return inputs
      .filter(({ untilMs }) => untilMs > nowMs)
      .sort((a, b) => b.sinceMs - a.sinceMs || (a.fingerprint < b.fingerprint ? -1 : 1));
  }

  async #read(model: string): Promise<QuarantinedInput[]> {
    const texts = Object.values(await this.#redis.hgetall(quarantineKey(model)));
    return texts.flatMap((text) => parseRecord(quarantinedInputSchema, text));
  }

  /** The models that have inputs in quarantine. */
  async models(): Promise<string[]> {
    return this.#redis.zrange(QUARANTINED_MODELS_KEY, Date.now(), '+inf', 'BYSCORE');
  }

  /**
   * Accepts an input again, or all of a model.
   * @returns how many were lifted
   */
  async lift(model: string, fingerprint?: string): Promise<number> {
    const key = quarantineKey(model);
    const listed = await this.list(model);
    const lifted = listed.filter(
      (input) => fingerprint === undefined || input.fingerprint === fingerprint,
    );
    if (lifted.length === 0) return 0;
    await this.#redis.hdel(key, ...lifted.map((input) => input.fingerprint));
    if (lifted.length === listed.length) await this.#redis.zrem(QUARANTINED_MODELS_KEY, model);
    await this.#announce(model);
    return lifted.length;
  }

  async #announce(model: string): Promise<void> {
    // Models whose time is up are not read any more; here they leave the index.
    await this.#redis.zremrangebyscore(QUARANTINED_MODELS_KEY, '-inf', `(${Date.now()}`);
    await this.#redis.publish(QUARANTINE_CHANNEL, model);
  }
}
