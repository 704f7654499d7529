import { isTerminal, type Prediction } from '@quern/contract';
import type { JobView } from './job-record.ts';
import { unpackResult } from './job-result.ts';
import type { ReplyHub } from './reply-hub.ts';
import type { Reply } from './reply-messages.ts';

export interface WaitOptions {
  readonly timeoutMs: number;
  /** Ends the wait early, e.g. because the caller hung up. */
  readonly signal?: AbortSignal;
}

/** Polls cover a lost message: the first soon after the start (messages cross then), later ones rarer. */
const FIRST_POLL_MS = 500;
const MAX_POLL_MS = 4000;

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
  #isClosed = false;
  #wake: () => void = () => {};

  constructor(parts: PredictionWaitParts) {
    this.#parts = parts;
    this.#stopListening = parts.hub.listen(parts.id, (reply) => {
      this.#reply = reply;
      this.#wake();
    });
  }

  /**
   * An outage of Redis does not end the wait; it shows when the time is over.
   * @param view the job as it was accepted or last seen
   * @returns the ended prediction, or undefined when the time is over, the caller is gone, or the wait
   *   was closed
   */
  async untilEnded(options: WaitOptions, view: JobView): Promise<Prediction | undefined> {
    const deadlineMs = performance.now() + options.timeoutMs;
    const { signal } = options;
    for (let pollMs = FIRST_POLL_MS; ; ) {
      const ended = await this.#fromReply(view);
      if (ended !== undefined) return ended;
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0 || signal?.aborted === true || this.#isClosed) return undefined;
      const isPollDue = await this.#pause(Math.min(leftMs, pollMs), signal);
      if (!isPollDue) continue;
      const polled = await this.#parts.poll(view.data.model).catch(() => undefined);
      if (polled !== undefined && isTerminal(polled.status)) return polled;
      pollMs = Math.min(2 * pollMs, MAX_POLL_MS);
    }
  }

  async #fromReply(view: JobView): Promise<Prediction | undefined> {
    const reply = this.#reply;
    this.#reply = undefined;
    if (reply === undefined) return undefined;
    // If a large output cannot be read just now, the next poll tries again.
    return this.#parts.complete(viewFromReply(view, reply)).catch(() => undefined);
  }

  /** Resolves to true after the time, to false at once when the reply comes or the wait is to end. */
  #pause(timeMs: number, signal: AbortSignal | undefined): Promise<boolean> {
    return new Promise((resolve) => {
      const finish = (isOver: boolean): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
        this.#wake = () => {};
        resolve(isOver);
      };
      const onAbort = (): void => finish(false);
      const timer = setTimeout(() => finish(true), timeMs);
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#wake = () => finish(false);
    });
  }

  /** Stops listening and ends the wait at once. */
  close(): void {
    this.#isClosed = true;
    this.#stopListening();
    this.#wake();
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
    ...(reply.result !== undefined && { result: unpackResult(reply.result) }),
    ...(reply.failedReason !== undefined && { failedReason: reply.failedReason }),
  };
}
