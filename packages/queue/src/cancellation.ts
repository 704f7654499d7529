import { QuernError } from '@quern/contract';
import type { Redis } from 'ioredis';
import { reasonFromError } from './job-record.ts';
import { bullKey, cancelChannel } from './keys.ts';

/**
 * Ends a job that waits, in one step: if it is in none of the waiting sets it is left alone, so a job
 * that a worker has just taken cannot end twice. It becomes a failed job with the reason given, like
 * any other, and stays on the board. (`defa` is BullMQ's note that a job has lost too many workers: it
 * would fail it again if an operator retried it.)
 *
 * KEYS: prioritized, delayed, wait, failed, job, events. ARGV: job id, reason, time in ms.
 */
const END_WAITING_JOB = `
local removed = redis.call('ZREM', KEYS[1], ARGV[1])
if removed == 0 then removed = redis.call('ZREM', KEYS[2], ARGV[1]) end
if removed == 0 then removed = redis.call('LREM', KEYS[3], 1, ARGV[1]) end
if removed == 0 then return 0 end
redis.call('ZADD', KEYS[4], ARGV[3], ARGV[1])
redis.call('HSET', KEYS[5], 'failedReason', ARGV[2], 'finishedOn', ARGV[3])
redis.call('HDEL', KEYS[5], 'defa')
redis.call('XADD', KEYS[6], 'MAXLEN', '~', 1000, '*',
  'event', 'failed', 'jobId', ARGV[1], 'failedReason', ARGV[2], 'prev', 'waiting')
return 1
`;

/**
 * Ends a waiting prediction with an error such as `CANCELED` or `DEADLINE_EXCEEDED`.
 * @returns false if it was not waiting (any more)
 */
export async function endWaitingJob(
  redis: Redis,
  model: string,
  id: string,
  error: QuernError,
): Promise<boolean> {
  const keys = ['prioritized', 'delayed', 'wait', 'failed', id, 'events'];
  const ended = await redis.eval(
    END_WAITING_JOB,
    keys.length,
    ...keys.map((suffix) => bullKey(model, suffix)),
    id,
    reasonFromError(error),
    Date.now(),
  );
  return ended === 1;
}

export function canceledError(): QuernError {
  return new QuernError('CANCELED', 'Canceled by the client.');
}

/** Tells the workers of a model to give a prediction up. */
export async function publishCancel(redis: Redis, model: string, id: string): Promise<void> {
  await redis.publish(cancelChannel(model), id);
}
