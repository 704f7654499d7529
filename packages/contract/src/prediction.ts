import { z } from 'zod';
import type { ErrorCode } from './errors.ts';
import type { Tensor } from './tensor.ts';
import type { TensorForm } from './tensor-from-json.ts';
import { webhookFields } from './webhook-events.ts';

/**
 * A prediction's life: `starting` (queued) -> `processing` (a worker has it) -> one terminal status.
 * A retry or a worker's return puts it back to `starting`; a terminal status never changes.
 */
export const PREDICTION_STATUSES = [
  'starting',
  'processing',
  'succeeded',
  'failed',
  'canceled',
  'expired',
] as const;
export type PredictionStatus = (typeof PREDICTION_STATUSES)[number];

/** Whether the status is final. */
export function isTerminal(status: PredictionStatus): boolean {
  return status !== 'starting' && status !== 'processing';
}

export const PRIORITIES = ['high', 'normal', 'low'] as const;
export type Priority = (typeof PRIORITIES)[number];

/** What went wrong with one prediction. */
export interface PredictionError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly retryable: boolean;
}

export interface PredictionMetrics {
  /** From acceptance to the start of its batch. */
  readonly queueTimeMs?: number;
  /** The batch's run in ONNX Runtime, collating and splitting apart. */
  readonly inferenceTimeMs?: number;
  /** From acceptance to the terminal status. */
  readonly totalTimeMs?: number;
  /** Rows in the batch that this prediction ran in. */
  readonly batchSize?: number;
  /** Times that a worker has started it. */
  readonly attempts: number;
}

/** A prediction as the code holds it; `predictionToWire` writes it for clients. */
export interface Prediction {
  readonly id: string;
  readonly model: string;
  readonly version: number;
  readonly status: PredictionStatus;
  /** Present once succeeded, while the result is retained. */
  readonly outputs?: readonly Tensor[];
  readonly form: TensorForm;
  /** True if it succeeded but its result's retention has ended. */
  readonly dataRemoved: boolean;
  readonly error?: PredictionError;
  readonly metrics: PredictionMetrics;
  readonly createdAtMs: number;
  readonly startedAtMs?: number;
  readonly completedAtMs?: number;
  /** The deadline, if it has one. */
  readonly deadlineAtMs?: number;
  readonly metadata?: Readonly<Record<string, unknown>>;
}

/**
 * Client-chosen ids: what is safe in a URL (so not `.` or `..`), a Redis key and BullMQ (no colon, not
 * an integer).
 */
export const PREDICTION_ID_PATTERN = /^(?!-?\d+$|\.\.?$)[A-Za-z0-9_.~-]{1,128}$/;

/** Model names are one path segment and part of Redis keys. */
export const MODEL_NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;

export const MAX_TIMEOUT_MS = 7 * 24 * 3_600_000;
export const MAX_METADATA_BYTES = 4096;

const metadataSchema = z
  .record(z.string(), z.unknown())
  .superRefine((value, context) => {
    const bytes = jsonBytes(value);
    if (bytes === undefined) {
      const message =
        'expected integers within 2^53 (write larger ones as strings) and less nesting';
      context.addIssue({ code: 'custom', message });
    } else if (bytes > MAX_METADATA_BYTES) {
      const message = `got ${bytes} bytes of JSON, expected at most ${MAX_METADATA_BYTES}`;
      context.addIssue({ code: 'custom', message });
    }
  })
  .meta({ description: 'Echoed back with the prediction.' });

/** Undefined for what `JSON.stringify` refuses: bigints and nesting beyond the stack. */
function jsonBytes(value: unknown): number | undefined {
  try {
    return Buffer.byteLength(JSON.stringify(value));
  } catch {
    return undefined;
  }
}

const createFields = {
  input: z
    .record(z.string(), z.unknown())
    .meta({ description: 'A tensor for each of the model’s inputs, by name.' }),
  id: z
    .string()
    .regex(PREDICTION_ID_PATTERN, {
      error: 'expected 1 to 128 of A-Z a-z 0-9 _ . ~ - and not an integer, "." or ".."',
    })
    .optional()
    .meta({ description: 'Chosen by the client, for idempotent creation.' }),
  outputs: z
    .array(z.string())
    .min(1)
    .optional()
    .meta({ description: 'Names of the outputs wanted. Default: all.' }),
  priority: z.enum(PRIORITIES).default('normal'),
  timeout_ms: z.number().int().positive().max(MAX_TIMEOUT_MS).optional().meta({
    description: 'It expires if it has not started within this time.',
  }),
  metadata: metadataSchema.optional(),
  ...webhookFields,
};

/** Body of `POST /v1/models/{model}/predictions`. */
export const createPredictionSchema = z.strictObject(createFields).meta({ id: 'CreatePrediction' });
export type CreatePrediction = z.infer<typeof createPredictionSchema>;

/** Body of `POST /v1/predictions` and `PUT /v1/predictions/{id}`: the model stands in the body. */
export const createPredictionAnywhereSchema = z
  .strictObject({
    ...createFields,
    model: z.string().optional().meta({ description: 'Model name: the default version runs.' }),
    version: z.string().optional().meta({ description: 'Model and version: "digits:2".' }),
  })
  .meta({ id: 'CreatePredictionAnywhere' });

/** The prediction object on the wire. */
export const predictionSchema = z
  .object({
    id: z.string(),
    model: z.string(),
    version: z.string(),
    status: z.enum(PREDICTION_STATUSES),
    output: z.record(z.string(), z.unknown()).nullable(),
    error: z.object({ code: z.string(), message: z.string(), retryable: z.boolean() }).nullable(),
    metrics: z.object({
      queue_time_ms: z.number().optional(),
      inference_time_ms: z.number().optional(),
      total_time_ms: z.number().optional(),
      batch_size: z.number().int().optional(),
      attempts: z.number().int(),
    }),
    created_at: z.iso.datetime(),
    started_at: z.iso.datetime().nullable(),
    completed_at: z.iso.datetime().nullable(),
    expires_at: z.iso.datetime().nullable(),
    data_removed: z.boolean(),
    urls: z.object({ get: z.string(), cancel: z.string(), events: z.string() }),
    metadata: z.record(z.string(), z.unknown()).optional(),
  })
  .meta({ id: 'Prediction' });
export type WirePrediction = z.infer<typeof predictionSchema>;

/** A page of predictions, newest first. */
export const predictionListSchema = z
  .object({ results: z.array(predictionSchema), next: z.string().nullable() })
  .meta({ id: 'PredictionList' });

/** The body of every error on `/v1`. */
export const errorBodySchema = z
  .object({
    error: z.object({
      code: z.string(),
      message: z.string(),
      details: z.record(z.string(), z.unknown()).optional(),
    }),
  })
  .meta({ id: 'Error' });
