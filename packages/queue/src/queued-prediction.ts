import { type Priority, QuernError } from '@quern/contract';
import type { Job } from 'bullmq';
import type { CancellationWatch } from './cancellation-watch.ts';
import { type JobData, jobDataSchema } from './job-record.ts';
import { resultKey } from './keys.ts';
import { bullPriority } from './priority-scores.ts';
import { referenceOfInput } from './stored-inputs.ts';

/** A prediction that a worker has fetched and now owns. */
export interface QueuedPrediction {
  readonly id: string;
  readonly data: JobData;
  /** The class that it is run as: high, once it has waited its turn out behind higher ones. */
  readonly runsAs: Priority;
  readonly createdAtMs: number;
  /** 1 at the first start; counts returns to the queue as well. */
  readonly attempt: number;
  /** Attempts that failed; returns to the queue do not count. */
  readonly failures: number;
  /** The encoded input, or where it lies; see `PayloadStore`. */
  readonly input: { readonly inline: Uint8Array } | { readonly key: string };
  /** Where a large result of this attempt goes. */
  readonly resultKey: string;
  /** Whether the client has canceled it. */
  readonly cancellation: CancellationWatch;
}

/**
 * Reads a job of a model's queue.
 * @throws QuernError `INVALID_REQUEST` if the job is not one of ours
 */
export function queuedPrediction(
  job: Job,
  model: string,
  cancellation: CancellationWatch,
): QueuedPrediction {
  const parsed = jobDataSchema.safeParse(job.data);
  if (job.id === undefined || !parsed.success) {
    const issue = parsed.error?.issues[0];
    const where = issue === undefined ? '' : ` (${issue.path.join('.')}: ${issue.message})`;
    throw new QuernError(
      'INVALID_REQUEST',
      `The job was not made by Quern: its data cannot be read${where}. Submit predictions through the API.`,
    );
  }
  if (parsed.data.model !== model) {
    throw new QuernError(
      'INVALID_REQUEST',
      `The job is for model ${parsed.data.model.slice(0, 64)}, but lies in the queue of ${model}.`,
    );
  }
  const { id } = job;
  const { input } = parsed.data;
  return {
    id,
    data: parsed.data,
    // Only lifting changes a job's priority; BullMQ gives it as Redis has it, as text.
    runsAs: Number(job.priority) === bullPriority('high') ? 'high' : parsed.data.priority,
    createdAtMs: job.timestamp,
    attempt: job.attemptsStarted,
    failures: job.attemptsMade,
    input:
      input === undefined
        ? { key: referenceOfInput({ model, id, reference: parsed.data.inputKey }) }
        : { inline: Buffer.from(input, 'base64') },
    resultKey: resultKey(model, id, job.attemptsStarted),
    cancellation,
  };
}
