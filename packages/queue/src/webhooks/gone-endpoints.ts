import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';
import { goneEndpointKey } from '../keys.ts';

/** Renewed by every delivery that it refuses. */
const TTL_MS = 30 * 86_400_000;

/** Receivers that have answered 410: they are called no more until a delivery to them is replayed. */
export class GoneEndpoints {
  readonly #redis: Redis;

  constructor(redis: Redis) {
    this.#redis = redis;
  }

  async mark(url: string): Promise<void> {
    await this.#redis.set(keyOf(url), '1', 'PX', TTL_MS);
  }

  async isGone(url: string): Promise<boolean> {
    return (await this.#redis.pexpire(keyOf(url), TTL_MS)) === 1;
  }

  async clear(url: string): Promise<void> {
    await this.#redis.unlink(keyOf(url));
  }
}

/** A URL may hold secrets, which have no place in a key. */
function keyOf(url: string): string {
  return goneEndpointKey(createHash('sha256').update(url).digest('base64url'));
}
