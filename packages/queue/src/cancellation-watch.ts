/**
 * Whether the client has canceled one prediction. An AbortSignal would say the same, but making one for
 * every prediction and listening to it costs as much as the rest of the way through a worker.
 */
export class CancellationWatch {
  #isCanceled = false;
  readonly #listeners: (() => void)[] = [];

  get isCanceled(): boolean {
    return this.#isCanceled;
  }

  /** Calls back once, when the prediction is canceled; at once if it is already. */
  onCancel(listener: () => void): void {
    if (this.#isCanceled) listener();
    else this.#listeners.push(listener);
  }

  cancel(): void {
    if (this.#isCanceled) return;
    this.#isCanceled = true;
    for (const listener of this.#listeners) listener();
  }
}
