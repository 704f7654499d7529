import type { BlobContent } from './blob-store.ts';

/** Tells what the source of a blob throws from what the storage does. */
export class WatchedSource {
  readonly content: BlobContent;
  failure: { readonly error: unknown } | undefined;

  constructor(content: BlobContent) {
    this.content = content instanceof Uint8Array ? content : this.#watch(content);
  }

  async *#watch(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    try {
      yield* content;
    } catch (error) {
      this.failure = { error };
      throw error;
    }
  }
}
