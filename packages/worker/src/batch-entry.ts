import type { Entry } from '@quern/batcher';
import type { QueuedPrediction } from '@quern/queue';

/** The numbers by which the batcher knows the three priority classes. */
const PRIORITY_CLASS = { high: 0, normal: 1, low: 2 } as const;

/**
 * A prediction as its version's batcher sees it. One that failed in company before runs alone, so that
 * a neighbour's fault cannot fail it twice.
 * @param arrivedAtMs on the batcher's clock
 */
export function toEntry(
  prediction: QueuedPrediction,
  arrivedAtMs: number,
): Entry<QueuedPrediction> {
  const { data, failures, runsAs } = prediction;
  return {
    rows: data.rows,
    lane: data.lane,
    priority: PRIORITY_CLASS[runsAs],
    arrivedAtMs,
    deadlineAtMs: data.deadlineAtMs,
    alone: failures > 0,
    payload: prediction,
  };
}
