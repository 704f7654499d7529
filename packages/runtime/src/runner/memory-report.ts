const INTERVAL_MS = 1000;

/**
 * Says now and then how much memory this process holds. Measuring costs some microseconds, so that it is
 * not done for every run of a small model.
 */
export class MemoryReport {
  readonly #send: (rssBytes: number) => void;
  #lastAtMs = Number.NEGATIVE_INFINITY;

  constructor(send: (rssBytes: number) => void) {
    this.#send = send;
  }

  /** To be called after each run; sends at most once a second. */
  afterRun(): void {
    const nowMs = performance.now();
    if (nowMs - this.#lastAtMs < INTERVAL_MS) return;
    this.#lastAtMs = nowMs;
    this.#send(process.memoryUsage.rss());
  }
}
