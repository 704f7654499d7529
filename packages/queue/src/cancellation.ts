import { QuernError } from '@quern/contract';
import type { Redis } from 'ioredis';
import { cancelChannel } from './keys.ts';

export function canceledError(): QuernError {
  return new QuernError('CANCELED', 'Canceled by the client.');
}

/** Tells the workers of a model to give a prediction up. */
export async function publishCancel(redis: Redis, model: string, id: string): Promise<void> {
  await redis.publish(cancelChannel(model), id);
}
