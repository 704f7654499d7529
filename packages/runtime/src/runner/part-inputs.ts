import { QuernError } from '@quern/contract';
import type { DecodedEntry } from '../session/decoded-entry.ts';
import type { PayloadStore } from './payload-store.ts';

/** A stored input as it was read, and decoded when that is first asked for. */
export class PartInput {
  readonly message: Uint8Array;
  #entry: DecodedEntry | undefined;

  constructor(message: Uint8Array) {
    this.message = message;
  }

  decoded(decode: (message: Uint8Array) => DecodedEntry): DecodedEntry {
    this.#entry ??= decode(this.message);
    return this.#entry;
  }
}

const DEFAULT_MAX_BYTES = 128 * 1024 * 1024;
const DEFAULT_KEEP_MS = 10_000;

/**
 * The stored inputs of predictions that run in parts, so that a large one is not read and decoded for
 * each of its parts. It keeps the ones used last, up to a number of bytes (a single larger one is kept
 * as well), and forgets all of them when none was asked for in a while.
 */
export class PartInputs {
  readonly #maxBytes: number;
  readonly #keepMs: number;
  /** By key, the one used longest ago first. */
  readonly #kept = new Map<string, PartInput>();
  readonly #reading = new Map<string, Promise<PartInput | QuernError | undefined>>();
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: { maxBytes?: number; keepMs?: number } = {}) {
    this.#maxBytes = options.maxBytes ?? DEFAULT_MAX_BYTES;
    this.#keepMs = options.keepMs ?? DEFAULT_KEEP_MS;
  }

  /** Bytes of the inputs that are kept. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * The payload under a key, or why it cannot be read; undefined if there is none. One that is being read is not read again.
   * @throws whatever the payload store rejects with
   */
  async read(key: string, payloads: PayloadStore): Promise<PartInput | QuernError | undefined> {
    const kept = this.#use(key);
    if (kept !== undefined) return kept;
    const reading = this.#reading.get(key) ?? this.#read(key, payloads);
    this.#reading.set(key, reading);
    return reading;
  }

  /** Forgets everything. */
  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#kept.clear();
    this.#bytes = 0;
  }

  async #read(key: string, payloads: PayloadStore): Promise<PartInput | QuernError | undefined> {
    try {
      const [message] = await payloads.read([key]);
      if (message === null || message === undefined) return undefined;
      if (message instanceof QuernError) return message;
      this.#kept.set(key, new PartInput(message));
      this.#bytes += message.byteLength;
      this.#makeRoom(key);
      return this.#use(key);
    } finally {
      this.#reading.delete(key);
    }
  }

  #use(key: string): PartInput | undefined {
    const kept = this.#kept.get(key);
    if (kept === undefined) return undefined;
    this.#kept.delete(key);
    this.#kept.set(key, kept);
    // It need not keep the process alive: with the process all is forgotten.
    this.#timer ??= setTimeout(() => this.clear(), this.#keepMs).unref();
    this.#timer.refresh();
    return kept;
  }

  #makeRoom(newest: string): void {
    for (const [key, { message }] of this.#kept) {
      if (this.#bytes <= this.#maxBytes || key === newest) return;
      this.#kept.delete(key);
      this.#bytes -= message.byteLength;
    }
  }
}
