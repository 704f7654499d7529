import type { Redis } from 'ioredis';
import { bullKey } from './keys.ts';
import { bandLimits, PRIORITY_BANDS } from './priority-scores.ts';

/** How a model's queue stands. */
export interface QueueDepth {
  /** Predictions that wait, retries included. */
  readonly waiting: number;
  /** Predictions that a worker holds. */
  readonly active: number;
  /** Age of the one that has waited longest; null if none waits. */
  readonly oldestWaitingMs: number | null;
}

/** Reads how many predictions of a model wait and run, and since when. */
export async function readQueueDepth(redis: Redis, model: string): Promise<QueueDepth> {
  const [prioritized, waiting, delayed, active, ...firstOfBand] = await Promise.all([
    redis.zcard(bullKey(model, 'prioritized')),
    redis.llen(bullKey(model, 'wait')),
    redis.zcard(bullKey(model, 'delayed')),
    redis.llen(bullKey(model, 'active')),
    ...PRIORITY_BANDS.map((band) => firstOf(redis, model, band)),
  ]);
  const ids = firstOfBand.flat();
  const times = await Promise.all(ids.map((id) => redis.hget(bullKey(model, id), 'timestamp')));
  const oldest = Math.min(...times.flatMap((time) => (time === null ? [] : [Number(time)])));
  return {
    waiting: prioritized + waiting + delayed,
    active,
    oldestWaitingMs: Number.isFinite(oldest) ? Math.max(0, Date.now() - oldest) : null,
  };
}

function firstOf(redis: Redis, model: string, band: number): Promise<string[]> {
  const [from, below] = bandLimits(band);
  const key = bullKey(model, 'prioritized');
  return redis.zrange(key, from, `(${below}`, 'BYSCORE', 'LIMIT', 0, 1);
}
