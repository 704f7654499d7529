import type { Redis } from 'ioredis';
import { bullKey } from './keys.ts';

/** How a model's queue stands. */
export interface QueueDepth {
  /** Predictions that wait, retries included. */
  readonly waiting: number;
  /** Predictions that a worker holds. */
  readonly active: number;
  /** Age of the one that has waited longest; null if none waits. */
  readonly oldestWaitingMs: number | null;
}

/** BullMQ's score of a prioritized job is its priority times this, plus a counter. */
const PRIORITY_SCORE_STEP = 0x1_0000_0000;
const PRIORITY_VALUES = [1, 2, 3];

/** Reads how many predictions of a model wait and run, and since when. */
export async function readQueueDepth(redis: Redis, model: string): Promise<QueueDepth> {
  const [prioritized, waiting, delayed, active, ...firstOfClass] = await Promise.all([
    redis.zcard(bullKey(model, 'prioritized')),
    redis.llen(bullKey(model, 'wait')),
    redis.zcard(bullKey(model, 'delayed')),
    redis.llen(bullKey(model, 'active')),
    ...PRIORITY_VALUES.map((priority) => firstWithPriority(redis, model, priority)),
  ]);
  const ids = firstOfClass.flat();
  const times = await Promise.all(ids.map((id) => redis.hget(bullKey(model, id), 'timestamp')));
  const oldest = Math.min(...times.flatMap((time) => (time === null ? [] : [Number(time)])));
  return {
    waiting: prioritized + waiting + delayed,
    active,
    oldestWaitingMs: Number.isFinite(oldest) ? Math.max(0, Date.now() - oldest) : null,
  };
}

function firstWithPriority(redis: Redis, model: string, priority: number): Promise<string[]> {
  return redis.zrange(
    bullKey(model, 'prioritized'),
    priority * PRIORITY_SCORE_STEP,
    `(${(priority + 1) * PRIORITY_SCORE_STEP}`,
    'BYSCORE',
    'LIMIT',
    0,
    1,
  );
}
