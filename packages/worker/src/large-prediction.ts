import { EntryDropped } from '@quern/batcher';
import { type ErrorCode, QuernError } from '@quern/contract';
import { canceledError, type JobResult, type QueuedPrediction } from '@quern/queue';
import { RunnerFault } from '@quern/runtime';
import { type BatchMember, partOf } from './batch-entry.ts';
import type { PartSource } from './part-turns.ts';
import { describeSpan, type RowSpan, RowsToRun } from './row-spans.ts';

/** A part that has run. */
export interface RanPart extends RowSpan {
  readonly result: JobResult;
}

export interface LargePredictionOptions {
  readonly prediction: QueuedPrediction;
  /** The most rows that its next part may have. */
  readonly maxPartRows: () => number;
  /** Runs a part in some batch; `alone` without company. */
  readonly submit: (part: BatchMember, alone: boolean) => Submitted;
  /** Puts the results of all parts together, in the order of their rows. */
  readonly assemble: (parts: readonly RanPart[]) => Promise<JobResult>;
  /** Called once with the keys of all results of parts, when none is needed nor will be written. */
  readonly removeResults: (keys: readonly string[]) => Promise<void>;
}

export interface Submitted {
  readonly result: Promise<JobResult>;
  /** Drops the part, if no run has taken it. */
  readonly abort: () => void;
}

/** Errors that say something about the rows of the part they came from. */
const ABOUT_ROWS: readonly ErrorCode[] = [
  'INFERENCE_FAILED',
  'OUT_OF_MEMORY',
  'RUNNER_CRASHED',
  'RUN_TIMEOUT',
];

/**
 * A prediction of more rows than one run takes. It is still one job with one end; it goes
 *
 *     running --(all rows have run)--> assembling --> ended
 *        '--(a part fails, or is dropped; canceled)----'
 *
 * Parts are cut off while it runs, when `PartTurns` says so. One that needs too much memory is run again
 * in halves, and only a single row can fail for that. One that the model refuses is halved until the row
 * at fault is known, at 2 log2 n runs, while nothing else of this prediction is begun; if the halves
 * succeed after all, it goes on. Once ended, what is queued is dropped, and when the last part that was
 * under way has come back the stored results of parts are removed.
 */
export class LargePrediction implements PartSource {
  /** Rejects with what the failed part was rejected with, or a QuernError that names its rows. */
  readonly result: Promise<JobResult>;
  /** Resolves when nothing of it is left anywhere. */
  readonly cleared: Promise<void>;
  readonly #options: LargePredictionOptions;
  readonly #rows: number;
  readonly #toRun: RowsToRun;
  readonly #underWay = new Set<Submitted>();
  readonly #ran: RanPart[] = [];
  #ranRows = 0;
  #hasEnded = false;
  #resolve: (result: JobResult) => void = () => {};
  #reject: (error: unknown) => void = () => {};
  #resolveCleared: () => void = () => {};

  constructor(options: LargePredictionOptions) {
    this.#options = options;
    this.#rows = options.prediction.data.rows;
    this.#toRun = new RowsToRun(this.#rows);
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.cleared = new Promise((resolve) => {
      this.#resolveCleared = resolve;
    });
    options.prediction.cancellation.onCancel(() => this.#fail(canceledError()));
  }

  get priority(): QueuedPrediction['runsAs'] {
    return this.#options.prediction.runsAs;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  get hasNext(): boolean {
    return !this.#hasEnded && this.#toRun.hasNext;
  }

  async runNext(): Promise<void> {
    const { prediction, maxPartRows, submit } = this.#options;
    const next = this.#toRun.take(maxPartRows());
    if (next === undefined) return;
    const { span, suspect } = next;
    const submitted = submit(partOf(prediction, span.first, span.count), suspect);
    this.#underWay.add(submitted);
    try {
      this.#partRan({ ...span, result: await submitted.result });
    } catch (error) {
      if (!this.#hasEnded) this.#partFailed(span, error);
    }
    if (suspect) this.#toRun.cleared();
    this.#underWay.delete(submitted);
    if (this.#hasEnded) await this.#clearUp();
    else if (this.#ranRows === this.#rows) await this.#assemble();
  }

  #partRan(part: RanPart): void {
    this.#ran.push(part);
    this.#ranRows += part.count;
  }

  #partFailed(span: RowSpan, error: unknown): void {
    const code = error instanceof QuernError ? error.code : undefined;
    if (span.count > 1 && code === 'OUT_OF_MEMORY') this.#toRun.runSmaller(span);
    else if (span.count > 1 && code === 'INFERENCE_FAILED') this.#toRun.suspect(span);
    else this.#fail(this.#explain(span, error));
  }

  async #assemble(): Promise<void> {
    this.#ran.sort((a, b) => a.first - b.first);
    try {
      const result = await this.#options.assemble(this.#ran);
      if (!this.#hasEnded) this.#resolve(result);
      this.#hasEnded = true;
    } catch (error) {
      this.#fail(error);
    }
    await this.#clearUp();
  }

  #fail(error: unknown): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#reject(error);
    for (const { abort } of this.#underWay) abort();
    if (this.#underWay.size === 0 && this.#ranRows < this.#rows) void this.#clearUp();
  }

  /** The last part to come back removes what all of them have left. */
  async #clearUp(): Promise<void> {
    if (this.#underWay.size > 0) return;
    const keys = this.#ran.flatMap(({ result }) => result.outputKey ?? []);
    try {
      await this.#options.removeResults(keys);
    } finally {
      this.#resolveCleared();
    }
  }

  #explain(span: RowSpan, error: unknown): unknown {
    if (error instanceof EntryDropped && error.reason === 'expired') {
      return new QuernError(
        'DEADLINE_EXCEEDED',
        `${this.#ranRows} of its ${this.#rows} rows had run when its deadline came.`,
        { retryable: false },
      );
    }
    if (!(error instanceof QuernError) || !ABOUT_ROWS.includes(error.code)) return error;
    // No model saw the part, so its rows are not to blame.
    if (error instanceof RunnerFault && !error.started) return error;
    const notRun = this.#rows - this.#ranRows - span.count;
    const rest = notRun === 0 ? '' : `; ${notRun} were not run to the end`;
    return new QuernError(
      error.code,
      `${describeSpan(span)} of ${this.#rows} (counted from 0) failed: ${error.message}. ${this.#ranRows} other rows had succeeded${rest}`,
      { retryable: error.retryable, cause: error },
    );
  }
}
