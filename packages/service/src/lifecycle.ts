import type { Logger } from './logger.ts';

interface Closer {
  readonly name: string;
  readonly close: () => Promise<void> | void;
}

/**
 * What a process has opened, closed in reverse order. Every step is attempted, also after one failed;
 * closing twice is closing once.
 */
export class Lifecycle {
  readonly #closers: Closer[] = [];
  readonly #logger: Logger;
  #closing: Promise<void> | undefined;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Registers what was just opened. */
  defer(name: string, close: () => Promise<void> | void): void {
    this.#closers.push({ name, close });
  }

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
    if (errors.length > 0) throw new AggregateError(errors, 'Some parts did not close cleanly');
  }
}
