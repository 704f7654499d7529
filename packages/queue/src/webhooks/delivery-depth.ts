import type { Redis } from 'ioredis';
import { bullKey } from '../keys.ts';
import { DELIVERY_QUEUE } from './delivery-record.ts';

/** How deliveries stand. */
export interface DeliveryDepth {
  /** Not delivered yet, those between two attempts included. */
  readonly waiting: number;
  /** Dead letters. */
  readonly failed: number;
  /** How long the next one has been due, ms; null if none is. */
  readonly oldestDueMs: number | null;
}

/** Delayed jobs are sorted by due time times this, and a number of their own below it. */
const DELAYED_SCORE_STEP = 0x1000;

/** When a delayed job is due, by its score. */
export function dueTimeOf(score: string): number {
  return Math.floor(Number(score) / DELAYED_SCORE_STEP);
}

/** Reads how many deliveries wait and have failed, and whether they are in time. */
export async function readDeliveryDepth(redis: Redis): Promise<DeliveryDepth> {
  const key = (suffix: string): string => bullKey(DELIVERY_QUEUE, suffix);
  const [waiting, paused, active, delayed, failed, [head], [, delayedScore]] = await Promise.all([
    redis.llen(key('wait')),
    redis.llen(key('paused')),
    redis.llen(key('active')),
    redis.zcard(key('delayed')),
    redis.zcard(key('failed')),
    redis.lrange(key('wait'), -1, -1),
    redis.zrange(key('delayed'), '0', '0', 'WITHSCORES'),
  ]);
  const dueTimes = delayedScore === undefined ? [] : [dueTimeOf(delayedScore)];
  if (head !== undefined) {
    const [madeAt, starts] = await redis.hmget(key(head), 'timestamp', 'ats');
    // Of one that was tried before, this is not the time at which it became due.
    if (madeAt != null && starts == null) dueTimes.push(Number(madeAt));
  }
  const oldestMs = Date.now() - Math.min(...dueTimes);
  return {
    waiting: waiting + paused + active + delayed,
    failed,
    oldestDueMs: Number.isFinite(oldestMs) && oldestMs > 0 ? oldestMs : null,
  };
}
