import type { Job } from 'bullmq';
import type { Redis } from 'ioredis';
import { viewOfJob } from './job-reader.ts';
import { inputKey, replyChannel } from './keys.ts';
import type { Reply, ReplyMessage } from './reply-messages.ts';

/**
 * Tells producers of jobs that have ended. The ends of one turn of the event loop (a batch's jobs end
 * together) go out as one message to each producer.
 */
export class ReplyPublisher {
  readonly #redis: Redis;
  readonly #onError: (error: Error) => void;
  readonly #pending = new Map<string, Reply[]>();
  #spentInputs: string[] = [];
  #isFlushPlanned = false;

  constructor(redis: Redis, onError: (error: Error) => void) {
    this.#redis = redis;
    this.#onError = onError;
  }

  /** Notes the end of a job; a job that will be tried again is passed over. */
  add(job: Job): void {
    const view = viewOfJob(job, false);
    if (view?.finishedAtMs === undefined) return;
    const { data } = view;
    // Failed jobs keep their input, so that an operator can retry them.
    if (data.input === undefined && view.result !== undefined) {
      this.#spentInputs.push(inputKey(data.model, view.id));
    }
    if (data.replyTo !== undefined) {
      const replies = this.#pending.get(data.replyTo) ?? [];
      this.#pending.set(data.replyTo, replies);
      replies.push({
        id: view.id,
        finishedAtMs: view.finishedAtMs,
        attempts: view.attempts,
        ...(view.startedAtMs !== undefined && { startedAtMs: view.startedAtMs }),
        ...(view.failedReason !== undefined && { failedReason: view.failedReason }),
        ...(view.result !== undefined && { result: view.result }),
      });
    }
    if (this.#isFlushPlanned) return;
    this.#isFlushPlanned = true;
    setImmediate(() => this.flush());
  }

  /** Sends what is pending now. */
  flush(): void {
    this.#isFlushPlanned = false;
    for (const [processId, replies] of this.#pending) {
      const message: ReplyMessage = { type: 'ended', replies };
      this.#redis.publish(replyChannel(processId), JSON.stringify(message)).catch(this.#onError);
    }
    this.#pending.clear();
    const spent = this.#spentInputs;
    this.#spentInputs = [];
    if (spent.length > 0) this.#redis.unlink(...spent).catch(this.#onError);
  }
}
