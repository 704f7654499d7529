import type { Redis } from 'ioredis';
import { z } from 'zod';
import { bullKey } from './keys.ts';
import { bullPriority, PRIORITY_SCORE_STEP } from './priority-scores.ts';
import type { ClassCounts } from './priority-shares.ts';

/**
 * Moves the oldest of the lower classes before all that wait, in the order in which they came. They
 * stay in BullMQ's own set, only with a score below those of every class; their priority becomes that
 * of high ones, so that a retry or a return to the queue does not take it from them again.
 *
 * A class before which nothing waits gets one prediction lifted, not all: it is served anyway, unless
 * what comes before it has only just been taken.
 *
 * KEYS: prioritized. ARGV: prefix of job keys, score step, priority of high ones, then for each lower
 * class its priority and how many at most.
 */
const LIFT = `
local function waiting(priority)
  return redis.call('ZCOUNT', KEYS[1], priority * ARGV[2], '(' .. (priority + 1) * ARGV[2])
end
local ahead = waiting(ARGV[3])
local lifted = {}
for i = 4, #ARGV, 2 do
  local limit = tonumber(ARGV[i + 1])
  if ahead == 0 then limit = math.min(limit, 1) end
  ahead = ahead + waiting(ARGV[i])
  local from = ARGV[i] * ARGV[2]
  local jobs = redis.call('ZRANGEBYSCORE', KEYS[1], from, '(' .. from + ARGV[2],
    'WITHSCORES', 'LIMIT', 0, limit)
  for j = 1, #jobs, 2 do
    redis.call('ZADD', KEYS[1], jobs[j + 1] - from, jobs[j])
    local key = ARGV[1] .. jobs[j]
    if redis.call('EXISTS', key) == 1 then redis.call('HSET', key, 'priority', ARGV[3]) end
  end
  lifted[#lifted + 1] = #jobs / 2
end
return lifted
`;

const liftedSchema = z.tuple([z.number(), z.number()]);

/**
 * Lifts at most so many of each class.
 * @returns how many it lifted
 */
export async function liftWaiting(
  redis: Redis,
  model: string,
  { normal, low }: ClassCounts,
): Promise<ClassCounts> {
  const answer = await redis.eval(
    LIFT,
    1,
    bullKey(model, 'prioritized'),
    bullKey(model, ''),
    PRIORITY_SCORE_STEP,
    bullPriority('high'),
    bullPriority('normal'),
    normal,
    bullPriority('low'),
    low,
  );
  const [normalLifted, lowLifted] = liftedSchema.parse(answer);
  return { normal: normalLifted, low: lowLifted };
}
