import { z } from 'zod';

const sizesSchema = z.array(
  z.looseObject({
    rows: z.number(),
    time_ms: z.number(),
    rows_per_second: z.number(),
    runs: z.number(),
  }),
);
const runTimesSchema = z.looseObject({ knee: z.number().nullable(), sizes: sizesSchema });
export type RunTimesView = z.infer<typeof runTimesSchema>;

/** What the command line reads of the stored run times of a version. */
export const profileSchema = z.looseObject({
  execution_provider: z.string(),
  device: z.string(),
  max_batch_size: z.number(),
  saved_at: z.string(),
  warm_up: runTimesSchema,
  lanes: z.array(runTimesSchema.extend({ lane: z.string() })),
});
export type ProfileView = z.infer<typeof profileSchema>;

export const profileResetSchema = z.looseObject({
  versions: z.array(z.string()),
  forgotten: z.number(),
});
export type ProfileResetView = z.infer<typeof profileResetSchema>;

const count = z.number();

/** What the command line reads of what a version has done. */
export const versionStatsSchema = z.looseObject({
  batches: count,
  failed: count,
  expired: count,
  reruns: count,
  quarantined: count,
  recycled: count,
  batch_rows: z.array(z.looseObject({ up_to: z.number().nullable(), batches: count })),
  fill_ratio: z.number(),
  padding_ratio: z.number(),
  mean_ms: z.looseObject({
    queue: z.number(),
    collate: z.number(),
    inference: z.number(),
    split: z.number(),
    store: z.number(),
  }),
  reasons: z.record(z.string(), count),
});
export type VersionStatsView = z.infer<typeof versionStatsSchema>;
