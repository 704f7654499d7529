import type { BlobPlaces } from '@quern/blobs';
import { type openRedis, type PayloadStore as QueuePayloads, redisFault } from '@quern/queue';
import type { PayloadStore } from '@quern/runtime';

export interface ResultRetention {
  readonly model: string;
  /** How long a large result can be read. */
  readonly ttlMs: number;
}

/** What the payloads lie in; closed with the store. */
export interface PayloadPlaces {
  readonly redis: ReturnType<typeof openRedis>;
  readonly blobs: BlobPlaces;
  readonly payloads: QueuePayloads;
}

/** The result of a part ends after this, should nobody be left to put it together or to remove it. */
const PART_TTL_MS = 3_600_000;

/**
 * The runtime's payload store over Redis and blob stores: results end with their retention, and an outage is a
 * `REDIS_UNAVAILABLE`, which is retried.
 */
export function resultPayloads(
  { redis, blobs, payloads }: PayloadPlaces,
  { model, ttlMs }: ResultRetention,
): PayloadStore {
  return {
    read: (keys) => payloads.readEach(keys).catch(rethrowAsFault),
    write: async (items) => {
      const placed = items.map(({ key, bytes, temporary }) => ({
        key: payloads.referenceFor(key, bytes.byteLength),
        bytes,
        temporary,
      }));
      const results = placed.filter(({ temporary }) => !temporary);
      const parts = placed.filter(({ temporary }) => temporary);
      await Promise.all([
        payloads.writeResults(model, results, ttlMs),
        payloads.write(parts, PART_TTL_MS),
      ]).catch(rethrowAsFault);
      return placed.map(({ key }) => key);
    },
    close: async () => {
      redis.disconnect();
      await blobs.close();
    },
  };
}

function rethrowAsFault(error: unknown): never {
  throw redisFault(error);
}
