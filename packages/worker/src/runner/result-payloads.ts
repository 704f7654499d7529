import { type openRedis, type PayloadStore as QueuePayloads, redisFault } from '@quern/queue';
import type { PayloadStore } from '@quern/runtime';

export interface ResultRetention {
  readonly model: string;
  /** How long a large result can be read. */
  readonly ttlMs: number;
}

/**
 * The runtime's payload store over Redis: results end with their retention, and an outage is a
 * `REDIS_UNAVAILABLE`, which is retried.
 */
export function resultPayloads(
  redis: ReturnType<typeof openRedis>,
  payloads: QueuePayloads,
  { model, ttlMs }: ResultRetention,
): PayloadStore {
  return {
    read: (keys) => payloads.read(keys).catch(rethrowAsFault),
    write: (items) => payloads.writeResults(model, items, ttlMs).catch(rethrowAsFault),
    close: async () => redis.disconnect(),
  };
}

function rethrowAsFault(error: unknown): never {
  throw redisFault(error);
}
