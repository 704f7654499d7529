import { QuernError } from '@quern/contract';
import type { Redis } from 'ioredis';
import { z } from 'zod';
import { END_WAITING_FUNCTION, waitingKeys } from './end-waiting-job.ts';
import { type JobView, jobDataSchema, reasonFromError } from './job-record.ts';
import { bullKey, predictionIndexKey, replyChannel } from './keys.ts';
import { parseJson } from './parse-json.ts';
import type { Reply, ReplyMessage } from './reply-messages.ts';
import type { WebhookOutbox } from './webhooks/webhook-outbox.ts';

/** Redis answers nobody else while one step runs: so many jobs take it a few milliseconds. */
const STEP = 200;
/** A prediction that a worker holds at its deadline may come back to the queue: looked at again. */
const RECHECK_MS = 1000;
/** A prediction on the list that is younger than this, and has no job, is just being added. */
const MIN_AGE_MS = 60_000;

/**
 * Ends what waits although its deadline has come.
 *
 * KEYS: the waiting ones, index of predictions. ARGV: prefix of job keys, reason, time in ms, how many
 * at most, then two times as above. Returns the next deadline (nil if there is none) and, of each
 * prediction ended, its id, data, starts and time of creation.
 */
const SWEEP = `${END_WAITING_FUNCTION}
local now = tonumber(ARGV[3])
local ended = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[6], '-inf', now, 'LIMIT', 0, ARGV[4])) do
  local jobKey = ARGV[1] .. id
  if endWaiting(id, jobKey, ARGV[2], ARGV[3]) then
    local job = redis.call('HMGET', jobKey, 'data', 'ats', 'timestamp')
    ended[#ended + 1] = {id, job[1], job[2], job[3]}
  else
    local job = redis.call('HMGET', jobKey, 'timestamp', 'finishedOn')
    local mayWaitLater = job[1] and not job[2]
    if not job[1] then
      local listedAt = redis.call('ZSCORE', KEYS[7], id)
      mayWaitLater = listedAt and now - tonumber(listedAt) < tonumber(ARGV[6])
    end
    if mayWaitLater then
      redis.call('ZADD', KEYS[6], now + tonumber(ARGV[5]), id)
    else
      redis.call('ZREM', KEYS[6], id)
    end
  end
end
local head = redis.call('ZRANGE', KEYS[6], 0, 0, 'WITHSCORES')
return {head[2] or false, ended}
`;

const sweptSchema = z.tuple([
  z.string().nullable(),
  z.array(z.tuple([z.string(), z.string(), z.string().nullable(), z.string()])),
]);

/** One step of sweeping a model's queue. */
export interface ExpiryStep {
  /** Predictions ended. */
  readonly expired: number;
  /** The earliest deadline that is left; undefined if there is none. */
  readonly nextDeadlineAtMs: number | undefined;
}

/** Why a prediction whose deadline came before it started has no result. */
export function expiredError(): QuernError {
  return new QuernError('DEADLINE_EXCEEDED', 'It had not started when its deadline came.', {
    retryable: false,
  });
}

/**
 * Ends some of a model's waiting predictions whose deadline has come and tells those who wait for
 * them. Any number of processes may do so at a time: each prediction is ended once.
 */
export async function sweepExpired(
  redis: Redis,
  model: string,
  outbox: WebhookOutbox,
): Promise<ExpiryStep> {
  const nowMs = Date.now();
  const keys = [...waitingKeys(model), predictionIndexKey(model)];
  const failedReason = reasonFromError(expiredError());
  const answer = await redis.eval(
    SWEEP,
    keys.length,
    ...keys,
    bullKey(model, ''),
    failedReason,
    nowMs,
    STEP,
    RECHECK_MS,
    MIN_AGE_MS,
  );
  const [next, ended] = sweptSchema.parse(answer);
  const replies = new Map<string, Reply[]>();
  const views: JobView[] = [];
  for (const [id, dataText, starts, createdAt] of ended) {
    const { data } = jobDataSchema.safeParse(parseJson(dataText));
    if (data === undefined) continue;
    const end = { id, finishedAtMs: nowMs, attempts: Number(starts ?? 0), failedReason };
    views.push({ ...end, data, createdAtMs: Number(createdAt), isLocked: false });
    if (data.replyTo === undefined) continue;
    const told = replies.get(data.replyTo);
    if (told === undefined) replies.set(data.replyTo, [end]);
    else told.push(end);
  }
  await Promise.all([...replies].map(([to, told]) => publishEnded(redis, to, told)));
  await outbox.ended(views);
  return { expired: ended.length, nextDeadlineAtMs: next === null ? undefined : Number(next) };
}

async function publishEnded(redis: Redis, to: string, replies: Reply[]): Promise<void> {
  const message: ReplyMessage = { type: 'ended', replies };
  await redis.publish(replyChannel(to), JSON.stringify(message));
}
