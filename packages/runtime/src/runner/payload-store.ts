/**
 * Where inputs and results too large for a message lie. The runtime does not know what is behind it.
 * A rejection with a QuernError keeps its code.
 */
export interface PayloadStore {
  /** The bytes per key in the same order, null where there are none. */
  read(keys: string[]): Promise<(Uint8Array | null)[]>;
  write(items: { key: string; bytes: Uint8Array }[]): Promise<void>;
  close(): Promise<void>;
}
