import type {
  MetricsHistoryGranularity,
  MetricsHistoryPoint,
  MetricsHistoryProvider,
  MetricsHistoryQuery,
} from '@bull-board/api/typings/app';
import type { Queue } from 'bullmq';

const MINUTE_MS = 60_000;
const STEP_MS: Readonly<Record<MetricsHistoryGranularity, number>> = {
  hour: 3_600_000,
  day: 86_400_000,
};

/** How many jobs ended in one minute. */
export interface MinuteCount {
  readonly startMs: number;
  readonly jobs: number;
}

/** What BullMQ keeps of one kind of end: see `minuteCounts`. */
export type EndMetrics = Awaited<ReturnType<Queue['getMetrics']>>;

/**
 * The board's longer charts, from the counts per minute that the workers keep in BullMQ for two weeks.
 * Older ranges have no points; what nobody records (the age of queues) has none at all.
 */
export function throughputHistory(
  queues: () => ReadonlyMap<string, Queue>,
): MetricsHistoryProvider {
  return {
    getHistory: async (query) => {
      if (query.metric === 'queueage') return [];
      const { metric } = query;
      const asked = [...queues()].filter(
        ([name]) => query.queue === undefined || query.queue === name,
      );
      const counts = await Promise.all(
        asked.map(async ([, queue]) => minuteCounts(await queue.getMetrics(metric))),
      );
      return sumBySteps(counts.flat(), query);
    },
  };
}

/**
 * Counts per minute, newest first. BullMQ's list begins with the minute before the one in which a job
 * ended last; that one is still open, and its jobs are those beyond the count at its beginning.
 */
export function minuteCounts({ meta, data }: EndMetrics): MinuteCount[] {
  if (meta.count === 0) return [];
  const openMs = Math.floor(meta.prevTS / MINUTE_MS) * MINUTE_MS;
  return [meta.count - meta.prevCount, ...data].map((jobs, minutesAgo) => ({
    startMs: openMs - minutesAgo * MINUTE_MS,
    jobs,
  }));
}

/** Sums by hours or days (UTC) that overlap the range, oldest first. */
export function sumBySteps(
  counts: readonly MinuteCount[],
  { granularity, from, to }: Pick<MetricsHistoryQuery, 'granularity' | 'from' | 'to'>,
): MetricsHistoryPoint[] {
  const stepMs = STEP_MS[granularity];
  const startOf = (timeMs: number): number => Math.floor(timeMs / stepMs) * stepMs;
  const firstMs = startOf(from);
  const sums = new Map<number, number>();
  for (const { startMs, jobs } of counts) {
    if (startMs < firstMs || startMs > to) continue;
    const ts = startOf(startMs);
    sums.set(ts, (sums.get(ts) ?? 0) + jobs);
  }
  return [...sums].sort(([a], [b]) => a - b).map(([ts, value]) => ({ ts, value }));
}
