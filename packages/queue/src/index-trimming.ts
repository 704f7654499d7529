import type { Redis } from 'ioredis';
import { z } from 'zod';
import { blobInputsKey, bullKey, inputKey, predictionIndexKey, reservationKey } from './keys.ts';
import type { PayloadStore } from './payload-store.ts';
import { reservationStart, YOUNG_RESERVATION_MS } from './reservation.ts';

const STEP = 500;
/** Steps of one walk in which fewer than half were gone: the rest is for the next walk. */
const MAX_IDLE_STEPS = 4;
const MAX_STEPS = 100;
/** A prediction younger than this may be listed just before its job is added. */
const MIN_AGE_MS = 60_000;

/**
 * Forgets what remains of jobs that are gone, each in one step: somebody may make a new prediction
 * under the same id just then. Whoever does so has a young reservation, and may have written the input
 * already: then nothing is touched.
 *
 * KEYS: index, hash of inputs in blob stores, then of each prediction its job, input and reservation.
 * ARGV: ids, how reservations for this model begin (the id may stand for a prediction of another one
 * by now), and when a young one was made at the earliest. Returns how many were forgotten, and which
 * blobs are theirs.
 */
const FORGET_GONE = `
local forgotten = 0
local blobs = {}
local ours = ARGV[#ARGV - 1]
local youngSince = tonumber(ARGV[#ARGV])
for i = 1, #ARGV - 2 do
  local reservation = redis.call('GET', KEYS[3 * i + 2])
  local isOurs = reservation and string.sub(reservation, 1, #ours) == ours
  local isYoung = isOurs and (cjson.decode(reservation).createdAtMs or 0) >= youngSince
  if not isYoung and redis.call('EXISTS', KEYS[3 * i]) == 0 then
    redis.call('ZREM', KEYS[1], ARGV[i])
    redis.call('UNLINK', KEYS[3 * i + 1])
    local blob = redis.call('HGET', KEYS[2], ARGV[i])
    if blob then
      redis.call('HDEL', KEYS[2], ARGV[i])
      blobs[#blobs + 1] = blob
    end
    if isOurs then redis.call('UNLINK', KEYS[3 * i + 2]) end
    forgotten = forgotten + 1
  end
end
return {forgotten, blobs}
`;

const forgottenSchema = z.tuple([z.number(), z.array(z.string())]);

/**
 * Walks a model's list from its oldest end and forgets predictions whose jobs are gone. Those of one
 * kind are kept longer than those of another, so the gone ones lie anywhere: a walk goes on where the
 * last one stopped.
 * @param from where to start, as an earlier walk returned it; 0 for the oldest
 * @returns where the next walk starts
 */
export async function trimIndex(
  redis: Redis,
  payloads: PayloadStore,
  model: string,
  from: number,
): Promise<number> {
  const index = predictionIndexKey(model);
  const newest = Date.now() - MIN_AGE_MS;
  let place = from;
  let idleSteps = 0;
  for (let step = 0; step < MAX_STEPS && idleSteps < MAX_IDLE_STEPS; step++) {
    const ids = await redis.zrangebyscore(index, '-inf', newest, 'LIMIT', place, STEP);
    const exists = await Promise.all(ids.map((id) => redis.exists(bullKey(model, id))));
    const gone = ids.filter((_, i) => exists[i] === 0);
    const { forgotten, blobs } = await forgetGone(redis, model, gone);
    // What a crash leaves here ends by itself.
    await payloads.remove(blobs);
    if (ids.length < STEP) return 0;
    place += ids.length - forgotten;
    if (forgotten < STEP / 2) idleSteps += 1;
  }
  return place;
}

async function forgetGone(
  redis: Redis,
  model: string,
  ids: readonly string[],
): Promise<{ forgotten: number; blobs: string[] }> {
  if (ids.length === 0) return { forgotten: 0, blobs: [] };
  const keys = ids.flatMap((id) => [bullKey(model, id), inputKey(model, id), reservationKey(id)]);
  const answer = await redis.eval(
    FORGET_GONE,
    keys.length + 2,
    predictionIndexKey(model),
    blobInputsKey(model),
    ...keys,
    ...ids,
    reservationStart(model),
    Date.now() - YOUNG_RESERVATION_MS,
  );
  const [forgotten, blobs] = forgottenSchema.parse(answer);
  return { forgotten, blobs };
}
