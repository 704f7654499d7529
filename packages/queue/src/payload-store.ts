import { type BlobPlaces, isBlobReference } from '@quern/blobs';
import { QuernError, toQuernError } from '@quern/contract';
import type { Redis } from 'ioredis';
import { resultIndexKey } from './keys.ts';

/** Payloads up to this many bytes travel inside the job; larger ones lie under keys of their own. */
export const INLINE_PAYLOAD_BYTES = 4096;

/** How long an input waits for a worker: after this the prediction fails with `PAYLOAD_MISSING`. */
export const INPUT_TTL_MS = 14 * 24 * 3_600_000;

export interface StoredPayload {
  /** Where it lies: a key in Redis, or a reference to a blob; see `referenceFor`. */
  readonly key: string;
  readonly bytes: Uint8Array;
}

/**
 * Large inputs and results (the claim check): jobs carry only where they lie, so neither a list of jobs
 * nor Bull Board ever loads megabytes. They lie in Redis, and the largest in a blob store, if there is
 * one. Where nothing is in a blob store, nothing but Redis is asked.
 *
 * Methods reject with Redis' own errors, and with QuernError `BLOB_STORE_UNAVAILABLE`.
 */
export class PayloadStore {
  readonly #redis: Redis;
  readonly #blobs: BlobPlaces | undefined;

  /** @param blobs stay their owner's; Redis holds everything if absent */
  constructor(redis: Redis, blobs?: BlobPlaces) {
    this.#redis = redis;
    this.#blobs = blobs;
  }

  /** Where a new payload of this size goes: the key itself in Redis, or a reference to a blob. */
  referenceFor(key: string, byteLength: number): string {
    return this.#blobs?.referenceFor(key, byteLength) ?? key;
  }

  /**
   * Reads payloads in the order of their keys; null for what is gone.
   * @throws QuernError `BLOB_STORE_UNAVAILABLE` if one of them cannot be read
   */
  async read(keys: readonly string[]): Promise<(Uint8Array | null)[]> {
    const found = await this.readEach(keys);
    return found.map((payload) => {
      if (payload instanceof QuernError) throw payload;
      return payload;
    });
  }

  /** The same, but a blob that cannot be read is an error in its place. */
  async readEach(keys: readonly string[]): Promise<(Uint8Array | QuernError | null)[]> {
    if (keys.length === 0) return [];
    const { redis, blobs } = split(keys);
    if (blobs.length === 0) return this.#redis.mgetBuffer(...redis);
    const [stored, read] = await Promise.all([
      redis.length === 0 ? [] : this.#redis.mgetBuffer(...redis),
      Promise.all(blobs.map((reference) => this.#readBlob(reference))),
    ]);
    const found = new Map<string, Uint8Array | QuernError | null>();
    for (const [i, key] of redis.entries()) found.set(key, stored[i] ?? null);
    for (const [i, key] of blobs.entries()) found.set(key, read[i] ?? null);
    return keys.map((key) => found.get(key) ?? null);
  }

  async #readBlob(reference: string): Promise<Uint8Array | QuernError | null> {
    try {
      return await this.#places(reference).read(reference);
    } catch (error) {
      return toQuernError(error);
    }
  }

  /** Stores payloads that end after `ttlMs`. */
  async write(payloads: readonly StoredPayload[], ttlMs: number): Promise<void> {
    await Promise.all(
      payloads.map(({ key, bytes }) =>
        isBlobReference(key)
          ? this.#places(key).write(key, bytes, ttlMs)
          : this.#redis.set(key, asBuffer(bytes), 'PX', ttlMs),
      ),
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
    const { blobs, redis } = split(keys);
    const [first] = blobs;
    await Promise.all([
      redis.length > 0 && this.#redis.unlink(...redis),
      first !== undefined && this.#places(first).remove(blobs),
    ]);
  }

  #places(reference: string): BlobPlaces {
    if (this.#blobs !== undefined) return this.#blobs;
    throw new QuernError(
      'BLOB_STORE_UNAVAILABLE',
      `A payload lies in ${JSON.stringify(reference.slice(0, 200))}, and this process was opened without blob stores.`,
    );
  }
}

/** Keys in Redis, and references to blobs. */
function split(keys: readonly string[]): { redis: string[]; blobs: string[] } {
  const blobs = keys.filter(isBlobReference);
  return { blobs, redis: keys.filter((key) => !isBlobReference(key)) };
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
