import type { Batcher, BatchingMode, Entry } from '@quern/batcher';
import { QuernError } from '@quern/contract';
import type { JobResult, QueuedPrediction } from '@quern/queue';
import { assembleResult } from './assemble-result.ts';
import { type BatchMember, toEntry } from './batch-entry.ts';
import type { BatchRunner } from './execute-batch.ts';
import { LargePrediction, type Submitted } from './large-prediction.ts';
import { PartTurns } from './part-turns.ts';

export type PredictionBatcher = Batcher<BatchMember, JobResult>;

export interface PredictionRunsOptions {
  readonly mode: BatchingMode;
  /** Puts the results of parts together. */
  readonly runner: BatchRunner;
  /** Instances that can run batches now. */
  readonly instances: () => number;
  /** Removes stored results of parts; what it does not remove ends by itself. */
  readonly removeResults: (keys: readonly string[]) => Promise<void>;
  /** On the batcher's clock. */
  readonly nowMs: () => number;
}

/**
 * Runs the predictions of a version: whole in some batch, or in parts where one has more rows than a
 * batch may have, or needs more memory than there is.
 */
export class PredictionRuns {
  readonly #options: PredictionRunsOptions;
  readonly #turns: PartTurns;
  readonly #large = new Set<LargePrediction>();

  constructor(options: PredictionRunsOptions) {
    this.#options = options;
    // For each instance one part that runs and one that is ready, and one more to choose from.
    this.#turns = new PartTurns(() => 2 * options.instances() + 1);
  }

  /**
   * Rejects with what the batcher rejects with, or with a QuernError that says which rows failed.
   * @throws EntryDropped, RunnerFault, QuernError
   */
  async run(prediction: QueuedPrediction, batcher: PredictionBatcher): Promise<JobResult> {
    // Its wait counts from here: under a backlog every prediction has long waited in Redis.
    const entry = toEntry(prediction, this.#options.nowMs());
    if (entry.rows > batcher.maxRowsFor(entry)) return this.#runInParts(prediction, batcher);
    prediction.cancellation.onCancel(() => batcher.abort(entry));
    try {
      return await batcher.submit(entry);
    } catch (error) {
      const isTooLarge = error instanceof QuernError && error.code === 'OUT_OF_MEMORY';
      if (!isTooLarge || entry.rows === 1) throw error;
      return this.#runInParts(prediction, batcher);
    }
  }

  /** Resolves when nothing is left of the predictions that ran in parts; they must have ended. */
  async cleared(): Promise<void> {
    await Promise.all([...this.#large].map(({ cleared }) => cleared));
  }

  async #runInParts(prediction: QueuedPrediction, batcher: PredictionBatcher): Promise<JobResult> {
    const { runner, removeResults, nowMs } = this.#options;
    const sample = toEntry(prediction, nowMs());
    const large = new LargePrediction({
      prediction,
      maxPartRows: () => this.#maxPartRows(sample, batcher),
      submit: (part, alone) => submit(batcher, toEntry(part, nowMs()), alone),
      assemble: (parts) => assembleResult(prediction, parts, runner),
      removeResults,
    });
    this.#large.add(large);
    void large.cleared.then(() => this.#large.delete(large));
    this.#turns.add(large);
    try {
      return await large.result;
    } finally {
      this.#turns.remove(large);
    }
  }

  /** As many rows as a batch may have; where the best size is learnt, no more than that. */
  #maxPartRows(sample: Entry<BatchMember>, batcher: PredictionBatcher): number {
    const maxRows = batcher.maxRowsFor(sample);
    if (this.#options.mode !== 'auto') return maxRows;
    const bestRows = batcher.profiles.of(sample.lane).bestSize(maxRows) ?? maxRows;
    return Math.max(1, Math.min(maxRows, bestRows));
  }
}

function submit(batcher: PredictionBatcher, entry: Entry<BatchMember>, alone: boolean): Submitted {
  const submitted = alone ? { ...entry, alone } : entry;
  return {
    result: batcher.submit(submitted),
    abort: () => batcher.abort(submitted),
  };
}
