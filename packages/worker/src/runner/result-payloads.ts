import { type openRedis, type PayloadStore as QueuePayloads, redisFault } from '@quern/queue';
import type { PayloadStore } from '@quern/runtime';

export interface ResultRetention {
  readonly model: string;
  /** How long a large result can be read. */
  readonly ttlMs: number;
}

/** The result of a part ends after this, should nobody be left to put it together or to remove it. */
const PART_TTL_MS = 3_600_000;

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
    write: async (items) => {
      const results = items.filter(({ temporary }) => !temporary);
      const parts = items.filter(({ temporary }) => temporary);
      await Promise.all([
        payloads.writeResults(model, results, ttlMs),
        payloads.write(parts, PART_TTL_MS),
      ]).catch(rethrowAsFault);
    },
    close: async () => redis.disconnect(),
  };
}

function rethrowAsFault(error: unknown): never {
  throw redisFault(error);
}
