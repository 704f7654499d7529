import { createHash, randomFillSync } from 'node:crypto';
import { MODEL_NAME_PATTERN, PREDICTION_ID_PATTERN, QuernError } from '@quern/contract';
import { QueueKeys } from 'bullmq';
import type { Redis } from 'ioredis';
import { ulid } from 'ulid';
import { z } from 'zod';
import { reservationKey } from './keys.ts';
import { INPUT_TTL_MS } from './payload-store.ts';
import type { Submission } from './submission.ts';

/**
 * Ids. A generated id is `<model>.<ulid>` and says itself which model it belongs to. An id that a client
 * chose is reserved first: the reservation names the model and the fingerprint of what was asked, so
 * that a repetition is recognised and another question under the same id is refused. It ends with its
 * prediction (see `Housekeeping`).
 */
const GENERATED_ID = /^(.+)\.[0-9a-hjkmnp-tv-z]{26}$/;

/** A job's key is made of its id, and so are BullMQ's own: a job must not be called like one of them. */
const BULL_KEY_NAMES: ReadonlySet<string> = new Set(Object.keys(new QueueKeys().getKeys('')));

export function generateId(model: string): string {
  return `${model}.${ulid(Date.now(), randomFraction).toLowerCase()}`;
}

const randomPool = Buffer.alloc(4096);
let randomPoolUsed = randomPool.byteLength;

/** From 0 to 1. Asking the system for each of an id's letters would cost more than the rest of a submission. */
function randomFraction(): number {
  if (randomPoolUsed === randomPool.byteLength) {
    randomFillSync(randomPool);
    randomPoolUsed = 0;
  }
  const byte = randomPool.readUInt8(randomPoolUsed);
  randomPoolUsed += 1;
  return byte / 256;
}

const reservationSchema = z.object({
  model: z.string(),
  fingerprint: z.string(),
  /** When what it stands for was made; absent in one of an earlier release, which is old. */
  createdAtMs: z.number().optional(),
});
type Reservation = z.infer<typeof reservationSchema>;

/** How every reservation for a model begins, as it lies in Redis. */
export function reservationStart(model: string): string {
  return `${JSON.stringify({ model }).slice(0, -1)},`;
}

/** A submission under an id that the client chose. */
export type IdentifiedSubmission = Submission & { readonly id: string };

export function isIdentified(submission: Submission): submission is IdentifiedSubmission {
  return submission.id !== undefined;
}

/** @throws QuernError `INVALID_REQUEST` for an id that no client may choose */
export function assertClientId(id: string): void {
  const problem = problemOfId(id);
  if (problem === undefined) return;
  throw new QuernError('INVALID_REQUEST', `id: ${problem}`, { details: { path: 'id' } });
}

function problemOfId(id: string): string | undefined {
  if (!PREDICTION_ID_PATTERN.test(id)) {
    const shown = JSON.stringify(id.slice(0, 40));
    return `got ${shown}, expected 1 to 128 of A-Z a-z 0-9 _ . ~ - and not an integer, "." or ".."`;
  }
  if (GENERATED_ID.test(id)) return `${id} has the form of a generated id, choose another`;
  if (BULL_KEY_NAMES.has(id)) return `${id} is a reserved word, choose another`;
  return undefined;
}

/**
 * Looks whether an id stands for this submission already.
 * @throws QuernError `CONFLICT` if it stands for other content
 */
export async function isReserved(redis: Redis, submission: IdentifiedSubmission): Promise<boolean> {
  const existing = await readReservation(redis, submission.id);
  if (existing === undefined) return false;
  assertSame(existing, submission);
  return true;
}

/** A reservation younger than this may be just before its job. */
export const YOUNG_RESERVATION_MS = 60_000;

export interface ReservedId {
  /** True if this call made the reservation, false if another one is about to add the same job. */
  readonly isOurs: boolean;
  /** The same for all that submit it at a time, so that it has one place on the list and one deadline. */
  readonly createdAtMs: number;
}

/**
 * Makes a reservation unless there is one. One of the same content that is old is made anew: whoever
 * reserves looks for the job first, so what it stood for is gone.
 *
 * KEYS: reservation. ARGV: its text, fingerprint, time to live in ms, when a young one was made at the
 * earliest. Returns the one that stands already, or nil.
 */
const RESERVE = `
local text = redis.call('GET', KEYS[1])
if text then
  local existing = cjson.decode(text)
  local isOld = (existing.createdAtMs or 0) < tonumber(ARGV[4])
  if existing.fingerprint ~= ARGV[2] or not isOld then return text end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
return false
`;

/**
 * Reserves an id for a submission that has no job yet.
 * @throws QuernError `CONFLICT` if the id stands for other content
 */
export async function reserveId(
  redis: Redis,
  submission: IdentifiedSubmission,
): Promise<ReservedId> {
  const { id, target } = submission;
  const createdAtMs = Date.now();
  const wanted: Reservation = {
    model: target.model.name,
    fingerprint: fingerprint(submission),
    createdAtMs,
  };
  // It must outlive the prediction: the longest wait in the queue, and the retention after that.
  const { succeeded, failed } = target.model.queue.retention;
  const ttlMs = INPUT_TTL_MS + Math.max(succeeded.ageSeconds, failed.ageSeconds) * 1000;
  const text = await redis.eval(
    RESERVE,
    1,
    reservationKey(id),
    JSON.stringify(wanted),
    wanted.fingerprint,
    Math.min(ttlMs, Number.MAX_SAFE_INTEGER),
    createdAtMs - YOUNG_RESERVATION_MS,
  );
  if (typeof text !== 'string') return { isOurs: true, createdAtMs };
  const existing = reservationSchema.parse(JSON.parse(text));
  assertSame(existing, submission);
  return { isOurs: false, createdAtMs: existing.createdAtMs ?? createdAtMs };
}

function assertSame(existing: Reservation, submission: IdentifiedSubmission): void {
  if (existing.fingerprint === fingerprint(submission)) return;
  throw new QuernError(
    'CONFLICT',
    `The id ${submission.id} was used with another input, model or option. Use a new id for a new prediction.`,
  );
}

/**
 * The model that an id belongs to; undefined if no such prediction can exist. A generated id names its
 * model itself, so that one may be made up.
 */
export async function modelOfId(redis: Redis, id: string): Promise<string | undefined> {
  if (!PREDICTION_ID_PATTERN.test(id)) return undefined;
  const generated = GENERATED_ID.exec(id)?.[1];
  if (generated === undefined) return (await readReservation(redis, id))?.model;
  return MODEL_NAME_PATTERN.test(generated) ? generated : undefined;
}

async function readReservation(redis: Redis, id: string): Promise<Reservation | undefined> {
  const text = await redis.get(reservationKey(id));
  return text === null ? undefined : reservationSchema.parse(JSON.parse(text));
}

/** A digest of everything in a submission that the answer depends on. */
function fingerprint(submission: Submission): string {
  const { target, inputs, outputs, priority, timeoutMs, metadata, webhook } = submission;
  const hash = createHash('sha256').update(
    JSON.stringify([
      target.model.name,
      // Whatever the default version is by now, a repetition means the prediction that was made then.
      target.isPinned === true ? target.version : null,
      inputs.tensors.map(({ name, datatype, shape }) => [name, datatype, shape]),
      inputs.form,
      outputs ?? null,
      priority,
      timeoutMs ?? null,
      metadata ?? null,
      // Without one as it always was: ids that are known already keep their meaning.
      ...(webhook === undefined ? [] : [webhook.url, webhook.events ?? null]),
    ]),
  );
  for (const { data } of inputs.tensors) hash.update(data);
  return hash.digest('base64url');
}
