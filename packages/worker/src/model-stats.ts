import type { ModelStats } from '@quern/contract';

/** What one batch adds to the figures. */
export interface BatchSample {
  readonly rows: number;
  readonly inferenceMs: number;
  readonly meanQueueMs: number;
}

/** Rates are over this many whole seconds. */
const WINDOW_SECONDS = 10;
/** Weight of the newest batch in the running means. */
const MEAN_WEIGHT = 0.05;

interface Second {
  second: number;
  rows: number;
  predictions: number;
}

/** Running figures of a model on one worker, as the registry publishes them. */
export class ModelStatsRecorder {
  readonly #nowMs: () => number;
  readonly #startedAtMs: number;
  #seconds: Second[] = [];
  #batches = 0;
  #rows = 0;
  #failed = 0;
  #meanBatchRows = 0;
  #meanInferenceMs = 0;
  #meanQueueMs = 0;

  constructor(nowMs: () => number = Date.now) {
    this.#nowMs = nowMs;
    this.#startedAtMs = nowMs();
  }

  batch(sample: BatchSample): void {
    const weight = Math.max(MEAN_WEIGHT, 1 / (this.#batches + 1));
    this.#meanBatchRows += weight * (sample.rows - this.#meanBatchRows);
    this.#meanInferenceMs += weight * (sample.inferenceMs - this.#meanInferenceMs);
    this.#meanQueueMs += weight * (sample.meanQueueMs - this.#meanQueueMs);
    this.#batches += 1;
    this.#rows += sample.rows;
    const current = this.#currentSecond();
    current.rows += sample.rows;
  }

  /** A prediction succeeded: counted at its end, as one in parts is in many batches. */
  success(): void {
    this.#currentSecond().predictions += 1;
  }

  failure(): void {
    this.#failed += 1;
    this.#currentSecond().predictions += 1;
  }

  snapshot(): ModelStats {
    const nowMs = this.#nowMs();
    this.#forgetBefore(Math.floor(nowMs / 1000) - WINDOW_SECONDS);
    const spanSeconds = Math.min(WINDOW_SECONDS, Math.max(1, (nowMs - this.#startedAtMs) / 1000));
    const sum = (pick: (second: Second) => number): number =>
      this.#seconds.reduce((total, second) => total + pick(second), 0) / spanSeconds;
    return {
      rowsPerSecond: sum(({ rows }) => rows),
      predictionsPerSecond: sum(({ predictions }) => predictions),
      batches: this.#batches,
      rows: this.#rows,
      failed: this.#failed,
      meanBatchRows: this.#meanBatchRows,
      meanInferenceMs: this.#meanInferenceMs,
      meanQueueMs: this.#meanQueueMs,
    };
  }

  #currentSecond(): Second {
    const second = Math.floor(this.#nowMs() / 1000);
    const last = this.#seconds.at(-1);
    if (last?.second === second) return last;
    this.#forgetBefore(second - WINDOW_SECONDS);
    const current = { second, rows: 0, predictions: 0 };
    this.#seconds.push(current);
    return current;
  }

  #forgetBefore(second: number): void {
    this.#seconds = this.#seconds.filter((entry) => entry.second >= second);
  }
}
