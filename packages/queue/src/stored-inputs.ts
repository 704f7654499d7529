import type { Redis } from 'ioredis';
import { blobInputsKey, inputKey } from './keys.ts';
import type { PayloadStore } from './payload-store.ts';

/** A prediction whose input is not in its job. */
export interface StoredInput {
  readonly model: string;
  readonly id: string;
  /** Where the input lies, if that is not under its own key in Redis. */
  readonly reference?: string | undefined;
}

/** Where the input of a prediction lies. */
export function referenceOfInput({ model, id, reference }: StoredInput): string {
  return reference ?? inputKey(model, id);
}

/**
 * Where a new input of this size goes. In a blob store the time of creation is part of its key: an input
 * whose prediction has been removed can be removed later, whatever is asked under the same id by then.
 */
export function referenceForInput(
  payloads: PayloadStore,
  { model, id }: StoredInput,
  { byteLength, createdAtMs }: { readonly byteLength: number; readonly createdAtMs: number },
): string | undefined {
  const key = `${inputKey(model, id)}:${createdAtMs}`;
  const reference = payloads.referenceFor(key, byteLength);
  return reference === key ? undefined : reference;
}

/** Notes where an input lies, for when its job is gone and nobody else knows. */
export async function noteBlobInput(
  redis: Redis,
  { model, id, reference }: StoredInput,
): Promise<void> {
  if (reference !== undefined) await redis.hset(blobInputsKey(model), id, reference);
}

/** Removes inputs that nobody needs any more. */
export async function removeInputs(
  redis: Redis,
  payloads: PayloadStore,
  inputs: readonly StoredInput[],
): Promise<void> {
  const blobs = inputs.filter(({ reference }) => reference !== undefined);
  await Promise.all([
    payloads.remove(inputs.map(referenceOfInput)),
    ...blobs.map(({ model, id }) => redis.hdel(blobInputsKey(model), id)),
  ]);
}
