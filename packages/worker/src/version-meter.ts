import {
  BATCH_PHASES,
  BATCH_ROWS_BOUNDS,
  type BatchPhase,
  batchRowsBucket,
  type VersionStats,
} from '@quern/contract';
import type { StatisticsTally } from '@quern/queue';
import type { WorkerMetrics } from './worker-metrics.ts';

/** A run that went through, as it is counted. */
export interface MeteredRun {
  readonly rows: number;
  readonly predictions: number;
  readonly meanQueueMs: number;
  readonly collateMs: number;
  readonly inferenceMs: number;
  readonly splitMs: number;
  readonly storeMs: number;
  /** Padding over all elements of the run; absent for none. */
  readonly paddingRatio?: number;
}

/** Weight of the newest batch in the running means. */
const MEAN_WEIGHT = 0.05;

export interface VersionMeterParts {
  readonly metrics: WorkerMetrics;
  readonly model: string;
  readonly version: number;
  readonly tally: StatisticsTally;
}

/**
 * Counts what one version does on this worker: for `/metrics`, for the registry, and for the statistics
 * that outlive the worker, so that all tell the same story. The registry's figures are read with every heartbeat: they stay small.
 */
export class VersionMeter {
  readonly #metrics: WorkerMetrics;
  readonly #tally: StatisticsTally;
  readonly #labels: { readonly model: string; readonly version: string };
  readonly #batchRows = new Array<number>(BATCH_ROWS_BOUNDS.length + 1).fill(0);
  readonly #reasons = new Map<string, number>();
  readonly #phasesMs: Record<BatchPhase, number> = {
    queue: 0,
    collate: 0,
    inference: 0,
    split: 0,
    store: 0,
  };
  readonly #totals = {
    batches: 0,
    rows: 0,
    succeeded: 0,
    failed: 0,
    expired: 0,
    reruns: 0,
    quarantined: 0,
    recycled: 0,
  };
  #lastBatch = 0;
  #formed = 0;
  #fillRatio = 0;
  #paddingRatio = 0;

  constructor({ metrics, model, version, tally }: VersionMeterParts) {
    this.#metrics = metrics;
    this.#tally = tally;
    this.#labels = { model, version: String(version) };
  }

  /** Numbers a batch; no number comes twice, also when the model was loaded again. */
  numberBatch(): number {
    this.#lastBatch += 1;
    return this.#lastBatch;
  }

  /** A batch was formed. */
  formed(reason: string, fillRatio: number): void {
    this.#metrics.dispatches.inc({ ...this.#labels, reason });
    this.#metrics.fillRatio.observe(this.#labels, fillRatio);
    this.#reasons.set(reason, (this.#reasons.get(reason) ?? 0) + 1);
    this.#formed += 1;
    this.#fillRatio = runningMean(this.#fillRatio, fillRatio, this.#formed);
  }

  /** A run went through. */
  ran(run: MeteredRun): void {
    const { rows, paddingRatio = 0 } = run;
    this.#tally.ran(run, Date.now());
    const bucket = batchRowsBucket(rows);
    this.#batchRows[bucket] = (this.#batchRows[bucket] ?? 0) + 1;
    this.#totals.batches += 1;
    this.#totals.rows += rows;
    this.#paddingRatio = runningMean(this.#paddingRatio, paddingRatio, this.#totals.batches);
    this.#metrics.batchRows.observe(this.#labels, rows);
    this.#metrics.paddingRatio.observe(this.#labels, paddingRatio);
    const times: Record<BatchPhase, number> = {
      queue: run.meanQueueMs,
      collate: run.collateMs,
      inference: run.inferenceMs,
      split: run.splitMs,
      store: run.storeMs,
    };
    for (const phase of BATCH_PHASES) {
      const timeMs = times[phase];
      this.#phasesMs[phase] = runningMean(this.#phasesMs[phase], timeMs, this.#totals.batches);
      this.#metrics.phaseSeconds.observe({ ...this.#labels, phase }, timeMs / 1000);
    }
  }

  /**
   * A prediction left this worker.
   * @param outcome `succeeded`, an error code, or `returned` to the queue
   * @param totalMs since it was accepted
   */
  ended(outcome: string, totalMs: number): void {
    this.#metrics.predictions.inc({ ...this.#labels, outcome });
    if (outcome !== 'returned' && outcome !== 'CANCELED') {
      this.#tally.ended(outcome === 'succeeded' ? 'success' : 'fail', totalMs);
    }
    if (outcome === 'succeeded') this.#totals.succeeded += 1;
    else if (outcome === 'DEADLINE_EXCEEDED') this.#totals.expired += 1;
    else if (outcome === 'INPUT_QUARANTINED') this.#totals.quarantined += 1;
    else if (outcome !== 'returned' && outcome !== 'CANCELED') this.#totals.failed += 1;
  }

  /** A run failed as a whole. */
  faulted(code: string): void {
    this.#metrics.runnerFaults.inc({ ...this.#labels, code });
  }

  /** Runs were made to find the predictions at fault in a failed batch. */
  reran(runs: number): void {
    this.#metrics.bisected.inc(this.#labels);
    this.#metrics.reruns.inc(this.#labels, runs);
    this.#totals.reruns += runs;
  }

  /** An input was put in quarantine. */
  inputQuarantined(): void {
    this.#metrics.quarantines.inc(this.#labels);
  }

  /** The circuit breaker opened: the version is unhealthy. */
  breakerOpened(): void {
    this.#metrics.breakerOpenings.inc(this.#labels);
  }

  /** A runner was replaced for its memory or age. */
  recycled(reason: string): void {
    this.#metrics.recycled.inc({ ...this.#labels, reason });
    this.#totals.recycled += 1;
  }

  /** A batch that could be formed has to wait for the device that other models use. */
  turnRefused(): void {
    this.#metrics.refusedTurns.inc(this.#labels);
  }

  /** So many instances can run now. */
  instances(ready: number): void {
    this.#metrics.readyInstances.set(this.#labels, ready);
  }

  /** A batch may cost so much now; Infinity: it is not limited. */
  memoryCap(elements: number): void {
    const { maxBatchElements } = this.#metrics;
    if (elements === Number.POSITIVE_INFINITY) maxBatchElements.remove(this.#labels);
    else maxBatchElements.set(this.#labels, elements);
  }

  /** The figures since the worker started. */
  snapshot(): VersionStats {
    const used = this.#batchRows.findLastIndex((batches) => batches > 0) + 1;
    return {
      ...this.#totals,
      batchRows: this.#batchRows.slice(0, used),
      fillRatio: rounded(this.#fillRatio),
      paddingRatio: rounded(this.#paddingRatio),
      phasesMs: {
        queue: rounded(this.#phasesMs.queue),
        collate: rounded(this.#phasesMs.collate),
        inference: rounded(this.#phasesMs.inference),
        split: rounded(this.#phasesMs.split),
        store: rounded(this.#phasesMs.store),
      },
      reasons: Object.fromEntries(this.#reasons),
    };
  }
}

function runningMean(mean: number, value: number, values: number): number {
  return mean + Math.max(MEAN_WEIGHT, 1 / values) * (value - mean);
}

/** The registry is written with every heartbeat: no digits that nobody reads. */
function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}
