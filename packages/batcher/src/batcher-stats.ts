import { type Batch, DISPATCH_REASONS, type DispatchReason } from './entry.ts';
import type { DropReason } from './entry-dropped.ts';

/** What a batcher holds at a moment, and what it has done since it was made. */
export interface BatcherStats {
  readonly queuedEntries: number;
  readonly queuedRows: number;
  /** When the entry came that has waited longest; undefined if nothing is queued. */
  readonly oldestArrivedAtMs: number | undefined;
  /** Running and prefetched. */
  readonly inFlightBatches: number;
  readonly inFlightEntries: number;
  readonly inFlightRows: number;
  readonly instances: number;
  readonly idleInstances: number;
  /** The most that a batch may cost now, in elements; Infinity if nothing limits it. */
  readonly memoryCapElements: number;
  readonly submitted: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly dropped: Readonly<Record<DropReason, number>>;
  readonly batches: Readonly<Record<DispatchReason, number>>;
}

/** The counters of a batcher. */
export class BatcherCounters {
  inFlightBatches = 0;
  inFlightEntries = 0;
  inFlightRows = 0;
  submitted = 0;
  succeeded = 0;
  failed = 0;
  readonly dropped: Record<DropReason, number> = {
    aborted: 0,
    expired: 0,
    drained: 0,
    closed: 0,
    oversized: 0,
  };
  readonly batches = Object.fromEntries(DISPATCH_REASONS.map((reason) => [reason, 0])) as Record<
    DispatchReason,
    number
  >;

  batchFormed(batch: Batch<unknown>): void {
    this.batches[batch.reason] += 1;
    this.inFlightBatches += 1;
    this.inFlightEntries += batch.entries.length;
    this.inFlightRows += batch.rows;
  }

  batchEnded(batch: Batch<unknown>): void {
    this.inFlightBatches -= 1;
    this.inFlightEntries -= batch.entries.length;
    this.inFlightRows -= batch.rows;
  }
}
