import { z } from 'zod';
import { modelSignatureSchema } from './model-signature.ts';
import { versionStatsSchema } from './version-stats.ts';

/** How the predictions of a model become batches. */
export const batchingSettingsSchema = z.object({
  /** `auto` learns the best size up to the maximum; `fixed` fills to the maximum; `off` runs one by one. */
  mode: z.enum(['auto', 'fixed', 'off']),
  /** The most rows in one run. */
  maxBatchSize: z.number().int().positive(),
  /** How long the oldest entry may wait for others while an instance is free. */
  maxQueueDelayMs: z.number().nonnegative(),
});
export type BatchingSettings = z.infer<typeof batchingSettingsSchema>;

const retentionSchema = z.object({
  ageSeconds: z.number().int().positive(),
  count: z.number().int().positive(),
});

/** What the queue of a model promises; producers read it from the registry. */
export const queueSettingsSchema = z.object({
  /** Waiting predictions beyond this are refused with `QUEUE_FULL`. */
  maxSize: z.number().int().positive(),
  /** Deadline for predictions that bring none; null for none. */
  timeoutMs: z.number().int().positive().nullable(),
  /** Runs at most this often when faults are of the kind that passes. */
  attempts: z.number().int().positive(),
  /** How long ended predictions can be read. */
  retention: z.object({ succeeded: retentionSchema, failed: retentionSchema }),
});
export type QueueSettings = z.infer<typeof queueSettingsSchema>;

/** One version as one worker serves it. */
export const servedVersionSchema = z.object({
  version: z.number().int().positive(),
  /** `unloading`: what runs is finished, nothing else is taken. */
  state: z.enum(['loading', 'ready', 'unhealthy', 'unloading']),
  /** Why it is not ready. */
  reason: z.string().optional(),
  /** Known once the file has been read. */
  signature: modelSignatureSchema.optional(),
  labels: z.array(z.string()).optional(),
  executionProvider: z.string().optional(),
  /** Loaded sessions, each in its own process. */
  instances: z.number().int().nonnegative(),
  /** Threads that each computes with; known once it is settled where they run. */
  threads: z.number().int().positive().optional(),
  /** What a batch may cost now (rows x elements of a row); absent if nothing limits it. */
  maxBatchElements: z.number().positive().optional(),
  stats: versionStatsSchema.optional(),
  /** Where the run times came from that it began with, and of what kind the device is. */
  profile: z
    .object({ source: z.enum(['stored', 'measured', 'none']), device: z.string() })
    .optional(),
});
export type ServedVersion = z.infer<typeof servedVersionSchema>;

/** Running figures of one model on one worker; means are over recent batches. */
export const modelStatsSchema = z.object({
  rowsPerSecond: z.number(),
  predictionsPerSecond: z.number(),
  batches: z.number().int(),
  rows: z.number().int(),
  meanBatchRows: z.number(),
  meanInferenceMs: z.number(),
  meanQueueMs: z.number(),
  failed: z.number().int(),
});
export type ModelStats = z.infer<typeof modelStatsSchema>;

/** A model as one worker publishes it. */
export const servedModelSchema = z.object({
  name: z.string(),
  description: z.string().optional(),
  license: z.string().optional(),
  origin: z.string().optional(),
  batching: batchingSettingsSchema,
  queue: queueSettingsSchema,
  versions: z.array(servedVersionSchema),
  /** What is wrong with its folder or its model.yaml. */
  problems: z.array(z.string()).optional(),
  stats: modelStatsSchema.optional(),
});
export type ServedModel = z.infer<typeof servedModelSchema>;

/** How a worker has taken an administrator's wish to load or unload a model. */
export const takenWishSchema = z.object({
  /** Of the wish. */
  revision: z.number().int().nonnegative(),
  /** `absent`: the worker has no folder for the model. */
  outcome: z.enum(['loaded', 'unloaded', 'failed', 'absent']),
  /** Why it failed. */
  reason: z.string().optional(),
});
export type TakenWish = z.infer<typeof takenWishSchema>;

/** What a worker publishes under its heartbeat. */
export const workerRecordSchema = z.object({
  workerId: z.string(),
  hostname: z.string(),
  pid: z.number().int(),
  startedAtMs: z.number(),
  models: z.array(servedModelSchema),
  /** By model, where there is a wish. */
  wishes: z.record(z.string(), takenWishSchema).optional(),
});
export type WorkerRecord = z.infer<typeof workerRecordSchema>;
