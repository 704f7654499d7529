import { redisFault } from '@quern/queue';

/**
 * Runs what talks to Redis.
 * @throws QuernError `REDIS_UNAVAILABLE` for an outage; anything else as it is
 */
export async function guarded<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw redisFault(error);
  }
}
