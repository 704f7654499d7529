import type { Redis } from 'ioredis';
import { segmentKey } from '../keys.ts';

/** Files are kept in pieces of at most this: it bounds what a reader or a writer holds of one. */
export const SEGMENT_BYTES = 1_048_576;

/**
 * Where the bytes of files lie. A segment is written once and never changed; `ttlMs` is for what a
 * process that died has left behind, all others are removed.
 */
export interface SegmentStore {
  write(fileId: string, name: string, bytes: Uint8Array, ttlMs: number): Promise<void>;
  /** @returns undefined if there is no such segment (any more) */
  read(fileId: string, name: string): Promise<Uint8Array | undefined>;
  /** What is not there is passed over. */
  remove(fileId: string, names: readonly string[]): Promise<void>;
}

/** Segments in Redis: all processes reach them, and nothing else needs to be set up. */
export class RedisSegmentStore implements SegmentStore {
  readonly #redis: Redis;

  constructor(redis: Redis) {
    this.#redis = redis;
  }

  async write(fileId: string, name: string, bytes: Uint8Array, ttlMs: number): Promise<void> {
    const { buffer, byteOffset, byteLength } = bytes;
    const value = Buffer.from(buffer, byteOffset, byteLength);
    await this.#redis.set(segmentKey(fileId, name), value, 'PX', ttlMs);
  }

  async read(fileId: string, name: string): Promise<Uint8Array | undefined> {
    return (await this.#redis.getBuffer(segmentKey(fileId, name))) ?? undefined;
  }

  async remove(fileId: string, names: readonly string[]): Promise<void> {
    const keys = names.map((name) => segmentKey(fileId, name));
    if (keys.length > 0) await this.#redis.unlink(...keys);
  }
}
