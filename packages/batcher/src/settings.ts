/**
 * - `auto`: fills a batch up to the size that runs the most rows per second, which is learnt.
 * - `fixed`: fills a batch up to `maxBatchSize`.
 * - `off`: every batch has one entry.
 */
export type BatchingMode = 'auto' | 'fixed' | 'off';

export interface BatchingSettings {
  readonly mode: BatchingMode;
  /** The most rows of a batch; an integer of at least 1. */
  readonly maxBatchSize: number;
  /**
   * How long an entry may wait, while an instance is free, for others to fill its batch; counted
   * from the oldest entry. 0 runs at once what is there: batches then grow only while every instance
   * is busy, which costs no latency and under load fills them all the same.
   */
  readonly maxQueueDelayMs: number;
}

/**
 * How many entries have to be submitted at a time so that no batch stays small for want of entries:
 * for each instance a running and a prefetched batch, and one more that is forming. An entry has one
 * row or more, so entries of one row each are what it counts. The worker sets BullMQ's concurrency
 * to this; any lower and batches are silently capped.
 */
export function requiredConcurrency(
  settings: Pick<BatchingSettings, 'mode' | 'maxBatchSize'>,
  instances: number,
): number {
  const entriesPerBatch = settings.mode === 'off' ? 1 : settings.maxBatchSize;
  return entriesPerBatch * (instances * 2 + 1);
}

/** @throws RangeError that names the setting, what it was and what it may be. */
export function assertSettings(settings: BatchingSettings): void {
  const { maxBatchSize, maxQueueDelayMs } = settings;
  if (!Number.isSafeInteger(maxBatchSize) || maxBatchSize < 1) {
    throw new RangeError(`maxBatchSize is ${maxBatchSize}, expected an integer of at least 1`);
  }
  if (!Number.isFinite(maxQueueDelayMs) || maxQueueDelayMs < 0) {
    throw new RangeError(`maxQueueDelayMs is ${maxQueueDelayMs}, expected a number of at least 0`);
  }
}
