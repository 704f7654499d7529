/**
 * The words of this package.
 *
 * - entry: one prediction as the batcher sees it. It has one or more *rows* (the extent of the
 *   model's batch dimension) and a *lane*.
 * - lane: entries that may share a batch, e.g. the same version and the same trailing shape. A batch
 *   never mixes lanes.
 * - batch: entries that run together. Its rows add up to at most `maxBatchSize`.
 * - instance: something that runs one batch at a time. It has one *prefetch place*: a second batch
 *   that may be handed over while the first one runs, so that its payloads are read meanwhile.
 * - target: the rows at which a batch counts as full. The *knee* is the target that was learnt.
 * - outcome: what became of one entry of a batch.
 * - dropped: an entry that was never handed to a run, and why.
 *
 * All times ending in `AtMs` are in milliseconds on the batcher's clock.
 */

/** 0 is high, 1 normal, 2 low. */
export type PriorityClass = 0 | 1 | 2;

export interface Entry<P> {
  /** Rows of the batch dimension; an integer of at least 1 and at most `maxBatchSize`. */
  readonly rows: number;
  readonly lane: string;
  readonly priority: PriorityClass;
  /** Counts for the delay and for the order; normally the time when the worker got the entry. */
  readonly arrivedAtMs: number;
  /** An entry that no run has taken by then is dropped as `expired`. */
  readonly deadlineAtMs?: number | undefined;
  /** Drops the entry while it is queued. Once in a batch, heeding it is up to the run. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Runs in a batch of its own, and waits for no company. Its lane then only says which run times it
   * counts towards.
   *
   * @default false
   */
  readonly alone?: boolean | undefined;
  /**
   * Elements of one row of all its inputs, after padding: what a row costs in memory.
   *
   * @default 1
   */
  readonly elementsPerRow?: number | undefined;
  readonly payload: P;
}

/**
 * Why a batch was formed when it was.
 *
 * - `full`: it reached `maxBatchSize` rows (one entry with `mode: off`), nothing more fitted, or its
 *   entry runs alone.
 * - `knee`: it reached the learnt size, or a size that is being tried out, below `maxBatchSize`.
 * - `idle`: an instance was free and no delay is configured.
 * - `delay`: its oldest entry had waited `maxQueueDelayMs`.
 * - `deadline`: waiting longer would have missed a deadline.
 * - `drain`: the batcher is draining and runs what is queued.
 */
export type DispatchReason = 'full' | 'idle' | 'delay' | 'deadline' | 'knee' | 'drain';

export const DISPATCH_REASONS: readonly DispatchReason[] = [
  'full',
  'idle',
  'delay',
  'deadline',
  'knee',
  'drain',
];

export interface Batch<P> {
  /** 1, 2, 3... within one batcher. */
  readonly id: number;
  readonly lane: string;
  /** In the order in which they were chosen: the most urgent first. */
  readonly entries: readonly Entry<P>[];
  /** The sum of the entries' rows. */
  readonly rows: number;
  readonly reason: DispatchReason;
  readonly formedAtMs: number;
  /** The instance that it was formed for, as an index or key given to `setInstances`. */
  readonly instance: number;
  /** True if the instance is still running another batch. */
  readonly prefetched: boolean;
}

export type Outcome<R> =
  | { readonly ok: true; readonly value: R }
  | { readonly ok: false; readonly error: unknown };

export interface BatchResult<R> {
  /** One per entry of the batch, in the same order. */
  readonly outcomes: readonly Outcome<R>[];
  /**
   * False if the time that the batch took says nothing about its size: it was bisected, retried, or
   * waited for a runner to start. Nothing is learnt from it then, nor from one with a failed outcome.
   *
   * @default true
   */
  readonly timeIsTypical?: boolean;
  /**
   * How long the device was busy with it.
   *
   * @default as long as the instance was
   */
  readonly deviceMs?: number;
  /**
   * How long the instance itself says that the batch took it. Of this and the time until the result was
   * seen here the shorter one is learnt: where whoever forms batches is short of time, results wait, and
   * that is not the batch size's doing. It is never taken for shorter than `deviceMs`: two results that
   * have waited are seen at the same moment, as if the second run had taken no time.
   *
   * @default as long as it took to be seen
   */
  readonly instanceMs?: number;
}
