import {
  decodeTensors,
  encodeTensors,
  isErrorCode,
  type Prediction,
  type PredictionError,
  type PredictionStatus,
  QuernError,
} from '@quern/contract';
import { z } from 'zod';
import type { JobResult } from './job-result.ts';
import { INLINE_PAYLOAD_BYTES } from './payload-store.ts';
import type { Submission } from './submission.ts';
import { webhookOrderSchema } from './webhooks/webhook-order.ts';

/**
 * The one place where a prediction becomes a BullMQ job and back.
 *
 * A job's data holds what scheduling and people need; its tensors lie inside it only while they are
 * small. A job's return value is a summary of the same kind; see `JobResult`. A failed job's reason is
 * `CODE: message`, and the code tells `failed`, `canceled` and `expired` apart.
 */
const tensorFormSchema = z.enum(['nested', 'flat', 'base64']);

export const jobDataSchema = z.object({
  model: z.string(),
  version: z.number().int().positive(),
  rows: z.number().int().positive(),
  lane: z.string(),
  /** Size of the encoded input. */
  bytes: z.number().int(),
  form: tensorFormSchema,
  /** Shapes by input name, for people. */
  shapes: z.record(z.string(), z.string()),
  /** Elements of the input that are URLs, whose bytes the worker fetches. */
  references: z
    .array(z.object({ input: z.string(), element: z.number().int().nonnegative() }))
    .optional(),
  outputs: z.array(z.string()).optional(),
  priority: z.enum(['high', 'normal', 'low']),
  deadlineAtMs: z.number().optional(),
  metadata: z.record(z.string(), z.unknown()).optional(),
  webhook: webhookOrderSchema.optional(),
  /** The producer process that is told when it ends. */
  replyTo: z.string().optional(),
  /** The encoded input in base64; absent if it lies elsewhere. */
  input: z.string().optional(),
  /** Where the input lies, if that is a blob store; else it has its own key in Redis. */
  inputKey: z.string().optional(),
});
export type JobData = z.infer<typeof jobDataSchema>;

/** The job of a submission, and the payload to store beside it if it is too large to go inside. */
export function jobDataFor(
  submission: Submission,
  createdAtMs: number,
  replyTo: string,
): { data: JobData; payload: Uint8Array } {
  const { target, inputs, outputs, metadata, priority, webhook } = submission;
  const payload = encodeTensors(inputs.tensors);
  const timeoutMs = submission.timeoutMs ?? target.model.queue.timeoutMs;
  const data: JobData = {
    model: target.model.name,
    version: target.version,
    rows: inputs.rows,
    lane: inputs.lane,
    bytes: payload.byteLength,
    form: inputs.form,
    shapes: Object.fromEntries(
      inputs.tensors.map((tensor) => [
        tensor.name,
        `${tensor.datatype}[${tensor.shape.join(',')}]`,
      ]),
    ),
    priority,
    replyTo,
    ...(inputs.references !== undefined && { references: [...inputs.references] }),
    ...(outputs !== undefined && { outputs: [...outputs] }),
    ...(timeoutMs !== null && { deadlineAtMs: createdAtMs + timeoutMs }),
    ...(metadata !== undefined && { metadata: { ...metadata } }),
    ...(webhook !== undefined && { webhook }),
    ...(payload.byteLength <= INLINE_PAYLOAD_BYTES && {
      input: Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString('base64'),
    }),
  };
  return { data, payload };
}

/** What is known of a job, whether it was read from Redis or told in a reply. */
export interface JobView {
  readonly id: string;
  readonly data: JobData;
  readonly createdAtMs: number;
  readonly attempts: number;
  readonly isLocked: boolean;
  readonly startedAtMs?: number;
  readonly finishedAtMs?: number;
  readonly failedReason?: string;
  readonly result?: JobResult;
}

/** The key under which a job's output must be read, if it is not inside. */
export function outputKeyOf(view: JobView): string | undefined {
  return view.finishedAtMs === undefined ? undefined : view.result?.outputKey;
}

/**
 * The prediction that a job stands for.
 * @param storedOutput the bytes under `outputKeyOf(view)`; null if their retention has ended, or
 *   `not read` to leave such outputs out
 */
export function predictionFromJob(
  view: JobView,
  storedOutput: Uint8Array | null | 'not read',
): Prediction {
  const { data, result } = view;
  const status = statusOf(view);
  const inline = result?.output === undefined ? null : Buffer.from(result.output, 'base64');
  const encoded = status === 'succeeded' ? (inline ?? storedOutput) : 'not read';
  const startedAtMs = status === 'starting' ? undefined : (result?.startedAtMs ?? view.startedAtMs);
  return {
    id: view.id,
    model: data.model,
    version: data.version,
    status,
    form: data.form,
    dataRemoved: encoded === null,
    metrics: {
      attempts: view.attempts,
      ...(status === 'succeeded' &&
        result !== undefined && {
          queueTimeMs: result.queueTimeMs,
          inferenceTimeMs: result.inferenceTimeMs,
          batchSize: result.batchRows,
        }),
      ...(view.finishedAtMs !== undefined && {
        totalTimeMs: Math.max(0, view.finishedAtMs - view.createdAtMs),
      }),
    },
    createdAtMs: view.createdAtMs,
    ...(encoded !== null && encoded !== 'not read' && { outputs: decodeTensors(encoded) }),
    ...(isFailure(status) && { error: errorFromReason(view.failedReason ?? '') }),
    ...(startedAtMs !== undefined && { startedAtMs }),
    ...(view.finishedAtMs !== undefined && { completedAtMs: view.finishedAtMs }),
    ...(data.deadlineAtMs !== undefined && { deadlineAtMs: data.deadlineAtMs }),
    ...(data.metadata !== undefined && { metadata: data.metadata }),
  };
}

function statusOf(view: JobView): PredictionStatus {
  if (view.finishedAtMs === undefined) return view.isLocked ? 'processing' : 'starting';
  if (view.failedReason === undefined) return 'succeeded';
  const { code } = errorFromReason(view.failedReason);
  if (code === 'CANCELED') return 'canceled';
  return code === 'DEADLINE_EXCEEDED' ? 'expired' : 'failed';
}

function isFailure(status: PredictionStatus): boolean {
  return status === 'failed' || status === 'canceled' || status === 'expired';
}

/** A fault as the reason of a failed job. */
export function reasonFromError(error: QuernError): string {
  return `${error.code}: ${error.message}`;
}

const REASON = /^([A-Z_]+): ([\s\S]*)$/;

/** The fault that a failed job's reason names; BullMQ's own reasons mean that workers were lost. */
export function errorFromReason(reason: string): PredictionError {
  const [, code, message] = REASON.exec(reason) ?? [];
  if (code !== undefined && message !== undefined && isErrorCode(code)) {
    return { code, message, retryable: new QuernError(code, message).retryable };
  }
  const isStalled = reason.includes('stalled');
  return {
    code: isStalled ? 'WORKER_LOST' : 'INTERNAL',
    message: isStalled ? 'The workers that ran it vanished too many times.' : reason,
    retryable: isStalled,
  };
}
