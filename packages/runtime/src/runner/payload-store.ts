/**
 * Where inputs and results too large for a message lie. The runtime does not know what is behind it.
 * A rejection with a QuernError keeps its code.
 */
export interface PayloadStore {
  /** The bytes per key in the same order, null where there are none. */
  read(keys: string[]): Promise<(Uint8Array | null)[]>;
  write(items: StoredResult[]): Promise<void>;
  close(): Promise<void>;
}

export interface StoredResult {
  readonly key: string;
  readonly bytes: Uint8Array;
  /** The result of a part: needed until the whole is put together, and no longer. */
  readonly temporary: boolean;
}
