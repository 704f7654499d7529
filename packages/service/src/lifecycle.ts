import type { Logger } from './logger.ts';

interface Closer {
  readonly name: string;
  readonly close: () => Promise<void> | void;
}

/**
 * What a process has opened, closed in reverse order. Every step is attempted, also after one failed;
 * closing twice is closing once. What is registered after the closing has begun (a stop in mid-start)
 * is closed as well.
 */
export class Lifecycle {
  readonly #closers: Closer[] = [];
  readonly #logger: Logger;
  #closing: Promise<void> | undefined;
  #isClosed = false;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Registers what was just opened. */
  defer(name: string, close: () => Promise<void> | void): void {
    this.#closers.push({ name, close });
    if (this.#isClosed) void this.#closeAll().catch(() => {});
  }

  /** @throws AggregateError of the steps that failed, after all were attempted */
  close(): Promise<void> {
    this.#closing ??= this.#closeAll();
    return this.#closing;
  }

  async #closeAll(): Promise<void> {
    const errors: unknown[] = [];
    for (let closer = this.#closers.pop(); closer; closer = this.#closers.pop()) {
      try {
        await closer.close();
      } catch (error) {
        errors.push(error);
        this.#logger.error({ err: error }, `Closing ${closer.name} failed`);
      }
    }
    this.#isClosed = true;
    if (errors.length > 0) throw new AggregateError(errors, 'Some parts did not close cleanly');
  }
}
