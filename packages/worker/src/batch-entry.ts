import type { Entry } from '@quern/batcher';
import { elementCount, parseLane } from '@quern/contract';
import { partResultKey, type QueuedPrediction } from '@quern/queue';
import type { RowRange } from '@quern/runtime';

/** What runs in a batch: a whole prediction, or some rows of one. */
export interface BatchMember extends QueuedPrediction {
  /** Set for a part; `data.rows` are then its own rows, and `resultKey` that of its own result. */
  readonly rowRange?: RowRange;
}

/** The numbers by which the batcher knows the three priority classes. */
const PRIORITY_CLASS = { high: 0, normal: 1, low: 2 } as const;

/**
 * A prediction as its version's batcher sees it. One that failed in company before runs alone, so that
 * a neighbour's fault cannot fail it twice.
 * @param arrivedAtMs on the batcher's clock
 */
export function toEntry(prediction: BatchMember, arrivedAtMs: number): Entry<BatchMember> {
  const { data, failures, runsAs } = prediction;
  return {
    rows: data.rows,
    lane: data.lane,
    priority: PRIORITY_CLASS[runsAs],
    arrivedAtMs,
    deadlineAtMs: data.deadlineAtMs,
    alone: failures > 0,
    elementsPerRow: elementsPerRow(data.lane),
    payload: prediction,
  };
}

/** The part of a prediction that has these rows. */
export function partOf(prediction: QueuedPrediction, first: number, rows: number): BatchMember {
  const { id, data, resultKey } = prediction;
  return {
    ...prediction,
    id: `${id}[${first}..${first + rows - 1}]`,
    data: { ...data, rows },
    resultKey: partResultKey(resultKey, first),
    rowRange: { first, of: data.rows },
  };
}

/** Elements of one row of all inputs, by a lane's name. */
function elementsPerRow(lane: string): number {
  return parseLane(lane).reduce((sum, { extents }) => sum + elementCount(extents), 0);
}
