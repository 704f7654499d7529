import type { QuernError } from '@quern/contract';

export type ReadPayload = Uint8Array | QuernError | null;

/**
 * Where inputs and results too large for a message lie. The runtime does not know what is behind it.
 * A rejection with a QuernError keeps its code.
 */
export interface PayloadStore {
  /**
   * The bytes per key in the same order, null where there are none, or why this one cannot be read: it
   * fails its entry alone. A rejection fails the whole batch.
   */
  read(keys: string[]): Promise<ReadPayload[]>;
  /** @returns where each lies, in the same order: its key, or another one that `read` takes */
  write(items: StoredResult[]): Promise<readonly string[]>;
  close(): Promise<void>;
}

export interface StoredResult {
  readonly key: string;
  readonly bytes: Uint8Array;
  /** The result of a part: needed until the whole is put together, and no longer. */
  readonly temporary: boolean;
}
