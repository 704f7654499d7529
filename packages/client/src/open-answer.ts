import type { SilenceLimit } from './time-limit.ts';

/** An answer that is read as it comes. */
export class OpenAnswer {
  readonly contentType: string;
  readonly #response: Response;
  readonly #limit: SilenceLimit;
  readonly #faultOf: (error: unknown) => unknown;

  /** @param faultOf makes the client's error of what the platform throws */
  constructor(response: Response, limit: SilenceLimit, faultOf: (error: unknown) => unknown) {
    this.contentType = response.headers.get('content-type') ?? '';
    this.#response = response;
    this.#limit = limit;
    this.#faultOf = faultOf;
  }

  /** Its bytes. @throws ConnectionError if it breaks off or falls silent */
  async *chunks(): AsyncGenerator<Uint8Array, void> {
    const reader = this.#response.body?.getReader();
    try {
      for (;;) {
        const next = await reader?.read();
        if (next === undefined || next.done) return;
        this.#limit.heard();
        yield next.value;
      }
    } catch (error) {
      throw this.#faultOf(error);
    }
  }

  /** Ends the connection, if the answer has not ended. */
  close(): void {
    this.#limit.end();
  }
}
