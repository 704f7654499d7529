import type { QuernError } from '@quern/contract';
import type { Redis } from 'ioredis';
import { reasonFromError } from './job-record.ts';
import { bullKey, deadlinesKey } from './keys.ts';

/**
 * A function for Lua scripts that end jobs that wait: if a job is in none of the waiting sets it is
 * left alone, so a job that a worker has just taken cannot end twice. It becomes a failed job with the
 * reason given, like any other, and stays on the board. (`defa` is BullMQ's note that a job has lost too
 * many workers: it would fail it again if an operator retried it.)
 *
 * Uses KEYS 1 to 6, see `waitingKeys`. Returns whether the job waited.
 */
export const END_WAITING_FUNCTION = `
local function endWaiting(id, jobKey, reason, nowMs)
  local removed = redis.call('ZREM', KEYS[1], id)
  if removed == 0 then removed = redis.call('ZREM', KEYS[2], id) end
  if removed == 0 then removed = redis.call('LREM', KEYS[3], 1, id) end
  if removed == 0 then return false end
  redis.call('ZADD', KEYS[4], nowMs, id)
  redis.call('HSET', jobKey, 'failedReason', reason, 'finishedOn', nowMs)
  redis.call('HDEL', jobKey, 'defa')
  redis.call('XADD', KEYS[5], 'MAXLEN', '~', 1000, '*',
    'event', 'failed', 'jobId', id, 'failedReason', reason, 'prev', 'waiting')
  redis.call('ZREM', KEYS[6], id)
  return true
end
`;

/** What `END_WAITING_FUNCTION` takes as KEYS 1 to 6. */
export function waitingKeys(model: string): string[] {
  const sets = ['prioritized', 'delayed', 'wait', 'failed', 'events'];
  return [...sets.map((name) => bullKey(model, name)), deadlinesKey(model)];
}

/** KEYS: the waiting ones, job. ARGV: job id, reason, time in ms. */
const END_WAITING_JOB = `${END_WAITING_FUNCTION}
return endWaiting(ARGV[1], KEYS[7], ARGV[2], ARGV[3]) and 1 or 0
`;

/**
 * Ends a waiting prediction with an error such as `CANCELED`, in one step.
 * @returns false if it was not waiting (any more)
 */
export async function endWaitingJob(
  redis: Redis,
  model: string,
  id: string,
  error: QuernError,
): Promise<boolean> {
  const keys = [...waitingKeys(model), bullKey(model, id)];
  const ended = await redis.eval(
    END_WAITING_JOB,
    keys.length,
    ...keys,
    id,
    reasonFromError(error),
    Date.now(),
  );
  return ended === 1;
}
