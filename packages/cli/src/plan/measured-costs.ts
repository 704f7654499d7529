import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { UsageError } from '../exit-codes.ts';
import type { PredictionCosts } from './capacity-plan.ts';

/**
 * Synchronous predictions of a tiny model on one core of an Intel Xeon at 2.8 GHz in a virtual machine,
 * CPU profilers on: docs/benchmarks.md, 2026-11-24.
 */
export const PUBLISHED_COSTS: PredictionCosts = { apiUs: 1137, redisUs: 418, workerUs: 733 };

const reportSchema = z.looseObject({
  figures: z.array(
    z.looseObject({
      what: z.string(),
      unit: z.string(),
      ours: z.looseObject({ median: z.number() }),
    }),
  ),
});

/**
 * Reads the costs that `npm run bench -- --suite budget` has measured, from its report.
 * @throws UsageError if the file cannot be read or is not such a report
 */
export async function measuredCosts(file: string): Promise<PredictionCosts> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new UsageError(
      `${file} cannot be read: ${error instanceof Error ? error.message : error}`,
    );
  });
  const figures = parseReport(text)?.figures ?? [];
  const sumOf = (process: string): number =>
    figures
      .filter(({ what, unit }) => unit === 'us' && what.startsWith(`${process}: `))
      .reduce((sum, { ours }) => sum + ours.median, 0);
  const costs = { apiUs: sumOf('API'), redisUs: sumOf('Redis'), workerUs: sumOf('worker') };
  if (Object.values(costs).every((us) => us > 0)) return costs;
  throw new UsageError(
    `${file} has no CPU times of predictions. Measure them with: npm run bench -- --suite budget`,
  );
}

function parseReport(text: string): z.infer<typeof reportSchema> | undefined {
  try {
    return reportSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
