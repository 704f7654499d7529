import type { Redis } from 'ioredis';
import { statisticsKey } from './keys.ts';
import { FIELDS, statisticsFromHash, type VersionStatistics } from './statistics-record.ts';
import type { StatisticsTally } from './statistics-tally.ts';

/** The figures of a version that has done nothing for so long are forgotten. */
const TTL_MS = 90 * 24 * 3_600_000;

/** The figures of versions, over all workers and their restarts. */
export class StatisticsStore {
  readonly #redis: Redis;

  constructor(redis: Redis) {
    this.#redis = redis;
  }

  /** Adds what a worker has done. */
  async add(model: string, version: number, tally: StatisticsTally): Promise<void> {
    const { added, lastInferenceMs } = tally.take();
    if (added.size === 0) return;
    const key = statisticsKey(model, version);
    const transaction = this.#redis.multi();
    for (const [field, amount] of added) {
      if (amount > 0) transaction.hincrby(key, field, amount);
    }
    if (lastInferenceMs > 0) transaction.hset(key, FIELDS.lastInferenceMs, lastInferenceMs);
    await transaction.pexpire(key, TTL_MS).exec();
  }

  /** The figures of versions, in their order. */
  async read(model: string, versions: readonly number[]): Promise<VersionStatistics[]> {
    const hashes = await Promise.all(
      versions.map((version) => this.#redis.hgetall(statisticsKey(model, version))),
    );
    return hashes.map(statisticsFromHash);
  }
}
