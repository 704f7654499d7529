import type { Redis } from 'ioredis';
import type { BullQueues } from './bull-queues.ts';
import { addDeadline } from './deadline-list.ts';
import { type JobData, type JobView, jobDataFor } from './job-record.ts';
import { INPUT_TTL_MS, type PayloadStore } from './payload-store.ts';
import { indexPrediction } from './prediction-list.ts';
import { bullPriority } from './priority-scores.ts';
import { isIdentified, reserveId } from './reservation.ts';
import { noteBlobInput, referenceForInput, referenceOfInput } from './stored-inputs.ts';
import type { Submission } from './submission.ts';
import { wants } from './webhooks/webhook-order.ts';
import type { WebhookOutbox } from './webhooks/webhook-outbox.ts';

/** First pause between the retries of a prediction; it doubles each time. */
const RETRY_BACKOFF_MS = 200;

export interface PredictionIntakeParts {
  readonly redis: Redis;
  readonly payloads: PayloadStore;
  readonly queues: BullQueues;
  readonly outbox: WebhookOutbox;
  /** The producer process that is told when a prediction ends. */
  readonly processId: string;
}

export interface Accepted {
  readonly view: JobView;
  /** False if the same submission was about to be accepted elsewhere already. */
  readonly isOurs: boolean;
}

/** Puts predictions into Redis: reservation, input, place on the list, job, deadline. */
export class PredictionIntake {
  readonly #parts: PredictionIntakeParts;

  constructor(parts: PredictionIntakeParts) {
    this.#parts = parts;
  }

  /** @throws QuernError `CONFLICT` if the id stands for other content */
  async accept(submission: Submission, id: string): Promise<Accepted> {
    const { redis, payloads, processId, outbox } = this.#parts;
    // A reservation may stand without a job if its maker died just then: the job is added either way.
    const { isOurs, createdAtMs } = isIdentified(submission)
      ? await reserveId(redis, submission)
      : { isOurs: true, createdAtMs: Date.now() };
    const { name } = submission.target.model;
    const { data, payload } = jobDataFor(submission, createdAtMs, processId);
    const { byteLength } = payload;
    const reference = referenceForInput(payloads, { model: name, id }, { byteLength, createdAtMs });
    const input = { model: name, id, reference };
    if (data.input === undefined) {
      // Before the job, so that no worker finds a job without its input.
      await payloads.write([{ key: referenceOfInput(input), bytes: payload }], INPUT_TTL_MS);
    }
    if (reference !== undefined) data.inputKey = reference;
    await Promise.all([
      // Before the job, so that no end goes unnoticed.
      wants(data.webhook, 'completed') && outbox.expect({ id, data, createdAtMs }),
      noteBlobInput(redis, input),
      indexPrediction(redis, name, id, createdAtMs),
      this.#addJob(submission, id, data, createdAtMs),
      data.deadlineAtMs !== undefined && addDeadline(redis, name, id, data.deadlineAtMs),
    ]);
    return { view: { id, data, createdAtMs, attempts: 0, isLocked: false }, isOurs };
  }

  async #addJob(
    { target, priority }: Submission,
    id: string,
    data: JobData,
    createdAtMs: number,
  ): Promise<void> {
    const { name, queue } = target.model;
    const { succeeded, failed } = queue.retention;
    const bullQueue = await this.#parts.queues.of(name);
    await bullQueue.add(`${name}:${data.version}`, data, {
      jobId: id,
      timestamp: createdAtMs,
      priority: bullPriority(priority),
      attempts: queue.attempts,
      backoff: { type: 'exponential', delay: RETRY_BACKOFF_MS, jitter: 0.5 },
      removeOnComplete: { age: succeeded.ageSeconds, count: succeeded.count },
      removeOnFail: { age: failed.ageSeconds, count: failed.count },
      stackTraceLimit: 1,
    });
  }
}
