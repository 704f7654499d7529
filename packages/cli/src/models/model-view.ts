import { z } from 'zod';
import { profileSchema, versionStatsSchema } from './profile-view.ts';

const tensorSchema = z.looseObject({
  name: z.string(),
  datatype: z.string(),
  shape: z.array(z.number()),
  /** The input whose real values it marks; it may be left out. */
  mask_of: z.string().optional(),
  /** What the elements are, where the model has steps of its own. */
  field: z.looseObject({ kind: z.string(), description: z.string().optional() }).optional(),
});
export type TensorView = z.infer<typeof tensorSchema>;

const versionSchema = z.looseObject({
  version: z.string(),
  state: z.string(),
  reason: z.string().optional(),
  inputs: z.array(tensorSchema).nullable(),
  outputs: z.array(tensorSchema).nullable(),
  max_rows: z.number().nullable(),
  labels: z.array(z.string()).optional(),
  execution_providers: z.array(z.string()),
  instances: z.number(),
  stats: versionStatsSchema.optional(),
  /** Only if they were asked for. */
  profiles: z.array(profileSchema).optional(),
});
export type VersionView = z.infer<typeof versionSchema>;

/** What the command line reads of a model on `/v1/models`; what else stands there is kept for `--json`. */
export const modelViewSchema = z.looseObject({
  name: z.string(),
  description: z.string().optional(),
  license: z.string().optional(),
  origin: z.string().optional(),
  state: z.string(),
  /** Newest first. */
  versions: z.array(versionSchema),
  live_workers: z.number(),
  batching: z.looseObject({
    mode: z.string(),
    max_batch_size: z.number(),
    max_queue_delay_ms: z.number(),
  }),
  queue: z.looseObject({
    waiting: z.number(),
    active: z.number(),
    oldest_waiting_ms: z.number().nullable(),
  }),
  stats: z.looseObject({
    predictions_per_second: z.number(),
    rows_per_second: z.number(),
    mean_batch_rows: z.number(),
    mean_inference_ms: z.number(),
    mean_queue_ms: z.number(),
    failed: z.number(),
  }),
});
export type ModelView = z.infer<typeof modelViewSchema>;

export const modelListSchema = z.looseObject({ results: z.array(modelViewSchema) });
