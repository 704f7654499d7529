import { createHash } from 'node:crypto';
import { QuernError } from '@quern/contract';
import type { Redis } from 'ioredis';
import { ulid } from 'ulid';
import { z } from 'zod';
import { reservationKey } from './keys.ts';
import type { Submission } from './submission.ts';

/**
 * Ids. A generated id is `<model>.<ulid>` and says itself which model it belongs to. An id that a client
 * chose is reserved first: the reservation names the model and the fingerprint of what was asked, so
 * that a repetition is recognised and another question under the same id is refused.
 */
const GENERATED_ID = /^(.+)\.[0-9a-hjkmnp-tv-z]{26}$/;

export function generateId(model: string): string {
  return `${model}.${ulid().toLowerCase()}`;
}

const reservationSchema = z.object({ model: z.string(), fingerprint: z.string() });

export interface Reservation {
  readonly model: string;
  /** True if this call made the reservation, false if the same one stood already. */
  readonly created: boolean;
}

/**
 * Reserves a client-chosen id for a submission.
 * @throws QuernError `CONFLICT` if the id stands for other content; `INVALID_REQUEST` if it looks
 *   like a generated one
 */
export async function reserveId(
  redis: Redis,
  id: string,
  submission: Submission,
  ttlSeconds: number,
): Promise<Reservation> {
  if (GENERATED_ID.test(id)) {
    throw new QuernError(
      'INVALID_REQUEST',
      `id: ${id} has the form of a generated id, choose another`,
      {
        details: { path: 'id' },
      },
    );
  }
  const wanted = { model: submission.target.model.name, fingerprint: fingerprint(submission) };
  const key = reservationKey(id);
  const made = await redis.set(key, JSON.stringify(wanted), 'EX', ttlSeconds, 'NX');
  if (made === 'OK') return { model: wanted.model, created: true };
  const existing = await readReservation(redis, id);
  // It ended between the two commands: the id is free again.
  if (existing === undefined) return reserveId(redis, id, submission, ttlSeconds);
  if (existing.fingerprint !== wanted.fingerprint) {
    throw new QuernError(
      'CONFLICT',
      `The id ${id} was used with another input, model or option. Use a new id for a new prediction.`,
    );
  }
  return { model: existing.model, created: false };
}

/** The model that an id belongs to; undefined if no such prediction can exist. */
export async function modelOfId(redis: Redis, id: string): Promise<string | undefined> {
  const generated = GENERATED_ID.exec(id)?.[1];
  if (generated !== undefined) return generated;
  return (await readReservation(redis, id))?.model;
}

async function readReservation(
  redis: Redis,
  id: string,
): Promise<z.infer<typeof reservationSchema> | undefined> {
  const text = await redis.get(reservationKey(id));
  return text === null ? undefined : reservationSchema.parse(JSON.parse(text));
}

/** A digest of everything in a submission that the answer depends on. */
function fingerprint(submission: Submission): string {
  const { target, inputs, outputs, priority, timeoutMs, metadata } = submission;
  const hash = createHash('sha256').update(
    JSON.stringify([
      target.model.name,
      inputs.tensors.map(({ name, datatype, shape }) => [name, datatype, shape]),
      inputs.form,
      outputs ?? null,
      priority,
      timeoutMs ?? null,
      metadata ?? null,
    ]),
  );
  for (const { data } of inputs.tensors) hash.update(data);
  return hash.digest('base64url');
}
