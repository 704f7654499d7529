import type { Readable } from 'node:stream';

/** What a blob holds: all of it at once, or piece by piece in constant memory. */
export type BlobContent = Uint8Array | AsyncIterable<Uint8Array>;

/** Some bytes of a blob, counted from 0. What lies beyond its end is left out. */
export interface ByteRange {
  readonly start: number;
  /** The first byte that is not wanted; the blob's end if absent. */
  readonly end?: number;
}

export interface BlobWriteOptions {
  /** The blob can be read for this long. */
  readonly ttlMs: number;
}

/**
 * Bytes under keys that end by themselves. A key is any text of 1 to 512 characters. A blob is there
 * whole or not at all: one that is being written, or whose writer died, cannot be read, and a blob
 * that is written again is replaced in one step.
 *
 * All methods but `close` throw QuernError `BLOB_STORE_UNAVAILABLE` when the storage fails.
 */
export interface BlobStore {
  /**
   * Stores a blob; once this resolves it is durable as far as the storage promises it. What `content`
   * throws is thrown on, and nothing is stored.
   */
  write(key: string, content: BlobContent, options: BlobWriteOptions): Promise<void>;
  /** The bytes in a buffer of their own; null if there is no such blob, or its time is up. */
  read(key: string, range?: ByteRange): Promise<Uint8Array | null>;
  /** The same as a stream, which its reader must read to the end or destroy. */
  stream(key: string, range?: ByteRange): Promise<Readable | null>;
  /** Removes blobs; those that are not there are fine. */
  remove(keys: readonly string[]): Promise<void>;
  /**
   * Frees the room of blobs whose time is up, and of what writers that died have left. Any number of
   * processes may do so at a time.
   * @returns how many were removed
   */
  sweep(): Promise<number>;
  /** Ends its connections and timers; blobs stay. */
  close(): Promise<void>;
}
