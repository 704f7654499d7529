import type { Tally, VersionStatistics } from '@quern/queue';
import { z } from 'zod';

/**
 * The answer of the protocol's statistics extension. Its integers are 64 bits wide: they are bigints
 * here, and numbers in JSON.
 * Source: triton-inference-server/server, docs/protocol/extension_statistics.md
 */
const integer = z.bigint().meta({ type: 'integer', minimum: 0 });
const tallySchema = z.object({ count: integer, ns: integer });

export const modelStatisticsSchema = z
  .object({
    model_stats: z.array(
      z.object({
        name: z.string(),
        version: z.string(),
        last_inference: z.number().int().meta({ description: 'Unix time in ms; 0 for never.' }),
        inference_count: integer.meta({ type: 'integer', description: 'Rows that were run.' }),
        execution_count: integer.meta({ type: 'integer', description: 'Batches that were run.' }),
        inference_stats: z
          .object({
            success: tallySchema,
            fail: tallySchema,
            queue: tallySchema,
            compute_input: tallySchema,
            compute_infer: tallySchema,
            compute_output: tallySchema,
            cache_hit: tallySchema,
            cache_miss: tallySchema,
          })
          .meta({
            description:
              'Of predictions. `success` and `fail` are from acceptance to the end; the time of a batch counts for each prediction in it. There is no cache.',
          }),
        response_stats: z
          .record(z.string(), z.unknown())
          .meta({ description: 'Always empty: no model answers in several parts.' }),
        batch_stats: z
          .array(
            z.object({
              batch_size: z.number().int(),
              compute_input: tallySchema,
              compute_infer: tallySchema,
              compute_output: tallySchema,
            }),
          )
          .meta({ description: 'Above 128 rows, sizes are rounded up to a power of two.' }),
        memory_usage: z.array(z.unknown()).meta({ description: 'Always empty: not measured.' }),
      }),
    ),
  })
  .meta({
    id: 'ModelStatistics',
    description: 'Totals over all workers, those that have ended too.',
  });
type ModelStatistics = z.infer<typeof modelStatisticsSchema>;

const NONE: Tally = { count: 0n, ns: 0n };

export function statisticsToWire(
  name: string,
  version: number,
  statistics: VersionStatistics,
): ModelStatistics['model_stats'][number] {
  return {
    name,
    version: String(version),
    last_inference: statistics.lastInferenceMs,
    inference_count: statistics.rows,
    execution_count: statistics.batches,
    inference_stats: {
      success: statistics.success,
      fail: statistics.fail,
      queue: statistics.queue,
      compute_input: statistics.compute_input,
      compute_infer: statistics.compute_infer,
      compute_output: statistics.compute_output,
      cache_hit: NONE,
      cache_miss: NONE,
    },
    response_stats: {},
    batch_stats: statistics.batchSizes.map(({ rows, ...tallies }) => ({
      batch_size: rows,
      ...tallies,
    })),
    memory_usage: [],
  };
}
