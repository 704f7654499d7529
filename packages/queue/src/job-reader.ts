import type { Prediction } from '@quern/contract';
import { Job, type Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import {
  type JobData,
  type JobView,
  jobDataSchema,
  outputKeyOf,
  predictionFromJob,
} from './job-record.ts';
import { jobResultSchema } from './job-result.ts';
import { bullKey } from './keys.ts';
import type { PayloadStore } from './payload-store.ts';

/** Reads jobs as predictions. */
export class JobReader {
  readonly #redis: Redis;
  readonly #payloads: PayloadStore;

  constructor(redis: Redis, payloads: PayloadStore) {
    this.#redis = redis;
    this.#payloads = payloads;
  }

  /** The job as it is now; undefined if there is none, or it is not one of ours. */
  async view(queue: Queue, id: string): Promise<JobView | undefined> {
    // The lock first: a job that ends in between is then seen as ended, never as waiting again.
    const [locks, job] = await Promise.all([
      this.#redis.exists(bullKey(queue.name, `${id}:lock`)),
      Job.fromId(queue, id),
    ]);
    return job === undefined ? undefined : viewOfJob(job, locks > 0);
  }

  /** The prediction with its outputs, wherever they lie. */
  async prediction(view: JobView): Promise<Prediction> {
    const key = outputKeyOf(view);
    const [stored = null] = key === undefined ? [null] : await this.#payloads.read([key]);
    return predictionFromJob(view, stored);
  }
}

/** A BullMQ job in our terms; undefined if its data is not ours (added by hand on the board, say). */
export function viewOfJob(job: Job, isLocked: boolean): JobView | undefined {
  const data = jobDataSchema.safeParse(job.data);
  if (job.id === undefined || !data.success) return undefined;
  const result = jobResultSchema.safeParse(job.returnvalue);
  return {
    id: job.id,
    data: data.data satisfies JobData,
    createdAtMs: job.timestamp,
    attempts: job.attemptsStarted,
    isLocked,
    ...(job.processedOn !== undefined && { startedAtMs: job.processedOn }),
    ...(job.finishedOn !== undefined && { finishedAtMs: job.finishedOn }),
    // A reason may remain of an earlier attempt of a job that succeeded in the end.
    ...(result.success
      ? { result: result.data }
      : job.failedReason !== undefined && { failedReason: job.failedReason }),
  };
}
