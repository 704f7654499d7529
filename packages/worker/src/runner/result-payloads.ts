import type { connectRedis, PayloadStore as QueuePayloads } from '@quern/queue';
import type { PayloadStore } from '@quern/runtime';

type Redis = Awaited<ReturnType<typeof connectRedis>>;

export interface ResultRetention {
  readonly model: string;
  /** How long a large result can be read. */
  readonly ttlMs: number;
}

/** The runtime's payload store over Redis: results end with their retention. */
export function resultPayloads(
  redis: Redis,
  payloads: QueuePayloads,
  { model, ttlMs }: ResultRetention,
): PayloadStore {
  return {
    read: (keys) => payloads.read(keys),
    write: (items) => payloads.writeResults(model, items, ttlMs),
    close: async () => redis.disconnect(),
  };
}
