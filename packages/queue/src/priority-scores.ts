import type { Priority } from '@quern/contract';

/**
 * How priorities lie in BullMQ's sorted set of prioritized jobs: a job's score is its priority times
 * `PRIORITY_SCORE_STEP`, plus a counter that grows with every job, and the least score runs first.
 * BullMQ runs jobs without a priority before all others, so every job has one.
 */
export const PRIORITY_SCORE_STEP = 0x1_0000_0000;

const BULL_PRIORITY: Readonly<Record<Priority, number>> = { high: 1, normal: 2, low: 3 };

export function bullPriority(priority: Priority): number {
  return BULL_PRIORITY[priority];
}

/** The bands of scores in use: lifted jobs (see `liftWaiting`) lie below those of every class. */
export const PRIORITY_BANDS: readonly number[] = [0, ...Object.values(BULL_PRIORITY)];

/** The least score of a band, and the first one above it. */
export function bandLimits(band: number): readonly [from: number, below: number] {
  return [band * PRIORITY_SCORE_STEP, (band + 1) * PRIORITY_SCORE_STEP];
}
