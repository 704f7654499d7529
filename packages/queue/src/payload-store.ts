import type { Redis } from 'ioredis';
import { resultIndexKey } from './keys.ts';

/** Payloads up to this many bytes travel inside the job; larger ones lie under keys of their own. */
export const INLINE_PAYLOAD_BYTES = 4096;

/** How long an input waits for a worker: after this the prediction fails with `PAYLOAD_MISSING`. */
export const INPUT_TTL_MS = 14 * 24 * 3_600_000;

export interface StoredPayload {
  readonly key: string;
  readonly bytes: Uint8Array;
}

/**
 * Large inputs and results in Redis (the claim check): jobs carry only their keys, so neither a list of
 * jobs nor Bull Board ever loads megabytes.
 */
export class PayloadStore {
  readonly #redis: Redis;

  constructor(redis: Redis) {
    this.#redis = redis;
  }

  /** Reads payloads in the order of their keys; null for what is gone. */
  async read(keys: readonly string[]): Promise<(Uint8Array | null)[]> {
    if (keys.length === 0) return [];
    return this.#redis.mgetBuffer(...keys);
  }

  /** Stores payloads that end after `ttlMs`. */
  async write(payloads: readonly StoredPayload[], ttlMs: number): Promise<void> {
    await Promise.all(
      payloads.map(({ key, bytes }) => this.#redis.set(key, asBuffer(bytes), 'PX', ttlMs)),
    );
  }

  /** Stores results of a model and notes them for retention by count. */
  async writeResults(
    model: string,
    payloads: readonly StoredPayload[],
    ttlMs: number,
  ): Promise<void> {
    if (payloads.length === 0) return;
    const nowMs = Date.now();
    const notes = payloads.flatMap(({ key }) => [nowMs, key]);
    await Promise.all([
      this.write(payloads, ttlMs),
      this.#redis.zadd(resultIndexKey(model), ...notes),
    ]);
  }

  /** Keeps the newest `count` results of a model. */
  async trimResults(model: string, count: number): Promise<void> {
    const index = resultIndexKey(model);
    const excess = (await this.#redis.zcard(index)) - count;
    if (excess <= 0) return;
    const popped = await this.#redis.zpopmin(index, Math.min(excess, 10_000));
    const keys = popped.filter((_, i) => i % 2 === 0);
    await this.remove(keys);
  }

  async remove(keys: readonly string[]): Promise<void> {
    if (keys.length > 0) await this.#redis.unlink(...keys);
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
