import type { ProfileRecord } from '@quern/queue';
import { z } from 'zod';

/** An answer stays small: so many kinds of device of a version are told of, and lanes of each. */
const MAX_PROFILES = 8;
const MAX_LANES = 8;

export const profileSourceSchema = z.object({
  source: z.enum(['stored', 'measured', 'none']).meta({
    description:
      '`stored`: an earlier worker left them; `measured`: in its own warm-up; `none`: it learns from the first run on.',
  }),
  device: z.string(),
});

const runTimesSchema = z
  .array(
    z.object({
      rows: z.number().meta({ description: 'Mean rows of the batches of about this size.' }),
      time_ms: z.number(),
      rows_per_second: z.number(),
      runs: z.number().int().meta({ description: 'Batches that the worker saw which saved it.' }),
    }),
  )
  .meta({ description: 'By rising rows.' });

const knee = z.number().int().nullable().meta({
  description: 'The batch size with the most rows per second; null while it is not known.',
});

/** The run times of a version on one kind of device, as `/v1/models/{model}` shows them. */
export const wireProfileSchema = z
  .object({
    execution_provider: z.string(),
    device: z.string(),
    max_batch_size: z.number().int(),
    saved_at: z.string(),
    warm_up: z
      .object({ knee, sizes: runTimesSchema })
      .meta({ description: 'Measured at warm-up; the expectation for inputs never seen.' }),
    lanes: z
      .array(z.object({ lane: z.string(), knee, sizes: runTimesSchema }))
      .meta({ description: 'By the shape of a row, those with the most runs.' }),
  })
  .meta({ id: 'ModelProfile' });
type WireProfile = z.infer<typeof wireProfileSchema>;

/** What a reset has forgotten. */
export const profileResetSchema = z
  .object({
    model: z.string(),
    versions: z.array(z.string()),
    forgotten: z.number().int().meta({ description: 'Stored profiles that there were.' }),
  })
  .meta({ id: 'ProfileReset' });

export function profilesToWire(records: readonly ProfileRecord[], version: number): WireProfile[] {
  return records
    .filter((record) => record.version === version)
    .slice(0, MAX_PROFILES)
    .map(profileToWire);
}

function profileToWire(record: ProfileRecord): WireProfile {
  const lanes = Object.entries(record.lanes).slice(0, MAX_LANES);
  return {
    execution_provider: record.executionProvider,
    device: record.device,
    max_batch_size: record.maxBatchSize,
    saved_at: new Date(record.savedAtMs).toISOString(),
    warm_up: { knee: record.seedKnee ?? null, sizes: record.seed.map(sizeToWire) },
    lanes: lanes.map(([lane, profile]) => ({
      lane,
      knee: profile.knee ?? null,
      sizes: profile.samples.map(sizeToWire),
    })),
  };
}

function sizeToWire({ rows, timeMs, runs }: ProfileRecord['seed'][number]) {
  const rowsPerSecond = Number(((rows / timeMs) * 1000).toPrecision(4));
  return { rows, time_ms: timeMs, rows_per_second: rowsPerSecond, runs };
}
