import { isTerminal, type Prediction } from '@quern/contract';
import type { JobView } from './job-record.ts';
import type { ReplyHub } from './reply-hub.ts';
import type { Reply } from './reply-messages.ts';

export interface WaitOptions {
  readonly timeoutMs: number;
  /** Ends the wait early, e.g. because the caller hung up. */
  readonly signal?: AbortSignal;
}

/** Covers a lost message. */
const POLL_INTERVAL_MS = 1000;

export interface PredictionWaitParts {
  readonly id: string;
  readonly hub: ReplyHub;
  /** Makes the prediction of an ended job, reading a large output. */
  readonly complete: (view: JobView) => Promise<Prediction>;
  readonly poll: (model: string) => Promise<Prediction | undefined>;
}

/**
 * One wait for the end of one prediction. It listens from its creation on, so that an end between
 * adding the job and waiting is not missed.
 */
export class PredictionWait {
  readonly #parts: PredictionWaitParts;
  readonly #stopListening: () => void;
  #reply: Reply | undefined;
  #onReply: () => void = () => {};

  constructor(parts: PredictionWaitParts) {
    this.#parts = parts;
    this.#stopListening = parts.hub.listen(parts.id, (reply) => {
      this.#reply = reply;
      this.#onReply();
    });
  }

  /**
   * @param view the job as it was accepted or last seen
   * @returns the ended prediction, or undefined when the time is over
   */
  async untilEnded(options: WaitOptions, view: JobView): Promise<Prediction | undefined> {
    const deadlineMs = performance.now() + options.timeoutMs;
    for (;;) {
      if (this.#reply !== undefined) return this.#parts.complete(viewFromReply(view, this.#reply));
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0 || options.signal?.aborted === true) return undefined;
      const isPollDue = await this.#pause(Math.min(leftMs, POLL_INTERVAL_MS), options.signal);
      if (!isPollDue) continue;
      // An outage of Redis does not end the wait; it shows when the time is over.
      const polled = await this.#parts.poll(view.data.model).catch(() => undefined);
      if (polled !== undefined && isTerminal(polled.status)) return polled;
    }
  }

  /** Resolves to true after the time, to false at once when the reply comes or the caller is gone. */
  #pause(timeMs: number, signal: AbortSignal | undefined): Promise<boolean> {
    return new Promise((resolve) => {
      const finish = (isOver: boolean): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
        this.#onReply = () => {};
        resolve(isOver);
      };
      const onAbort = (): void => finish(false);
      const timer = setTimeout(() => finish(true), timeMs);
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#onReply = () => finish(false);
    });
  }

  close(): void {
    this.#stopListening();
    this.#onReply();
  }
}

function viewFromReply(view: JobView, reply: Reply): JobView {
  return {
    id: view.id,
    data: view.data,
    createdAtMs: view.createdAtMs,
    isLocked: false,
    attempts: reply.attempts,
    finishedAtMs: reply.finishedAtMs,
    ...(reply.startedAtMs !== undefined && { startedAtMs: reply.startedAtMs }),
    ...(reply.result !== undefined && { result: reply.result }),
    ...(reply.failedReason !== undefined && { failedReason: reply.failedReason }),
  };
}
