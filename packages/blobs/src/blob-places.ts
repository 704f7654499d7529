import { QuernError } from '@quern/contract';
import type { BlobStore } from './blob-store.ts';

export interface BlobPlacesOptions {
  /** By the name that references begin with. */
  readonly stores: ReadonlyMap<string, BlobStore>;
  /** The store for new payloads; a name without a store, such as `redis`, leaves them where they are. */
  readonly writesTo: string;
  /** Smaller payloads are left where they are. */
  readonly minBytes: number;
}

const REFERENCE = /^(folder|s3):(.+)$/s;

/** Whether a reference names a blob: keys in Redis begin otherwise. */
export function isBlobReference(reference: string): boolean {
  return REFERENCE.test(reference);
}

/**
 * Payloads outside Redis, by reference: `folder:<key>`. A reference says where its payload lies, so
 * that what waits is found after new ones have begun to go elsewhere.
 */
export class BlobPlaces {
  readonly #options: BlobPlacesOptions;
  #closing: Promise<void> | undefined;

  constructor(options: BlobPlacesOptions) {
    this.#options = options;
  }

  /** Where a new payload goes: a blob's reference, or the key itself for one that stays in Redis. */
  referenceFor(key: string, byteLength: number): string {
    const { stores, writesTo, minBytes } = this.#options;
    return byteLength >= minBytes && stores.has(writesTo) ? `${writesTo}:${key}` : key;
  }

  /** @throws QuernError `BLOB_STORE_UNAVAILABLE`, also for a store that is not configured here */
  async write(reference: string, bytes: Uint8Array, ttlMs: number): Promise<void> {
    const { store, key } = this.#find(reference);
    await store.write(key, bytes, { ttlMs });
  }

  /**
   * @returns null if there is no such blob (any more)
   * @throws QuernError `BLOB_STORE_UNAVAILABLE`, also for a store that is not configured here
   */
  async read(reference: string): Promise<Uint8Array | null> {
    const { store, key } = this.#find(reference);
    return store.read(key);
  }

  /** @throws QuernError `BLOB_STORE_UNAVAILABLE`, also for a store that is not configured here */
  async remove(references: readonly string[]): Promise<void> {
    const keys = new Map<BlobStore, string[]>();
    for (const reference of references) {
      const { store, key } = this.#find(reference);
      keys.set(store, [...(keys.get(store) ?? []), key]);
    }
    await Promise.all([...keys].map(([store, own]) => store.remove(own)));
  }

  #find(reference: string): { store: BlobStore; key: string } {
    const [, place = '', key = ''] = REFERENCE.exec(reference) ?? [];
    const store = this.#options.stores.get(place);
    if (store !== undefined) return { store, key };
    throw new QuernError(
      'BLOB_STORE_UNAVAILABLE',
      `A payload lies in ${JSON.stringify(reference.slice(0, 200))}, and this process knows no such store: give it the QUERN_BLOB_* settings of the one that stored it.`,
    );
  }

  /** Whether there is any store, and so anything to sweep. */
  get hasStores(): boolean {
    return this.#options.stores.size > 0;
  }

  /**
   * Frees the room of blobs whose time is up.
   * @returns how many were removed
   */
  async sweep(): Promise<number> {
    const removed = await Promise.all(
      [...this.#options.stores.values()].map((store) => store.sweep()),
    );
    return removed.reduce((sum, count) => sum + count, 0);
  }

  close(): Promise<void> {
    this.#closing ??= Promise.all(
      [...this.#options.stores.values()].map((store) => store.close()),
    ).then(() => {});
    return this.#closing;
  }
}
