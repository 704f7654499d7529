import { BATCH_ROWS_BOUNDS, type VersionStats } from '@quern/contract';
import { z } from 'zod';

const count = z.number().int();
const meanMs = z.number();

/** What a version has done, as `/v1/models` shows it. */
export const wireVersionStatsSchema = z
  .object({
    batches: count,
    rows: count,
    succeeded: count,
    failed: count,
    expired: count.meta({ description: 'Dropped by a worker because their deadline had come.' }),
    reruns: count.meta({ description: 'Runs made to find the predictions at fault in a batch.' }),
    quarantined: count.meta({ description: 'Refused because their input had killed runners.' }),
    recycled: count.meta({ description: 'Instances replaced for their age or memory.' }),
    batch_rows: z
      .array(z.object({ up_to: count.nullable(), batches: count }))
      .meta({ description: 'Batches by rows, sizes without a batch left out; null: no limit.' }),
    fill_ratio: z.number().meta({ description: 'Rows over the most that a batch may have.' }),
    padding_ratio: z.number().meta({ description: 'Elements that are padding over all elements.' }),
    mean_ms: z
      .object({
        queue: meanMs,
        collate: meanMs,
        inference: meanMs,
        split: meanMs,
        store: meanMs,
      })
      .meta({ description: 'Time of a batch by its steps.' }),
    reasons: z
      .record(z.string(), count)
      .meta({ description: 'Batches by the reason for which they were formed when they were.' }),
  })
  .meta({
    id: 'VersionStats',
    description:
      'Of all live workers together: totals since they started, means over their recent batches.',
  });

export function versionStatsToWire(stats: VersionStats): z.infer<typeof wireVersionStatsSchema> {
  const sizes = stats.batchRows.map((batches, i) => ({
    up_to: BATCH_ROWS_BOUNDS[i] ?? null,
    batches,
  }));
  return {
    batches: stats.batches,
    rows: stats.rows,
    succeeded: stats.succeeded,
    failed: stats.failed,
    expired: stats.expired,
    reruns: stats.reruns,
    quarantined: stats.quarantined,
    recycled: stats.recycled,
    batch_rows: sizes.filter(({ batches }) => batches > 0),
    fill_ratio: stats.fillRatio,
    padding_ratio: stats.paddingRatio,
    mean_ms: { ...stats.phasesMs },
    reasons: { ...stats.reasons },
  };
}
