import { randomBytes } from 'node:crypto';
import type { Redis } from 'ioredis';
import { WEBHOOK_SECRET_KEY } from '../keys.ts';

const SECRET_BYTES = 32;

/**
 * The secret that deliveries are signed with where none is configured. It is made when it is first asked
 * for and kept in Redis, so that every process has the same.
 */
export async function sharedWebhookSecret(redis: Redis): Promise<string> {
  const made = `whsec_${randomBytes(SECRET_BYTES).toString('base64')}`;
  // With GET, a secret that is there already comes back and stays.
  return (await redis.set(WEBHOOK_SECRET_KEY, made, 'NX', 'GET')) ?? made;
}
