import { BATCH_ROWS_BOUNDS } from '@quern/contract';
import { Counter, DURATION_BUCKETS_SECONDS, Gauge, Histogram, type Registry } from '@quern/service';

const RATIO_BUCKETS = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1];

/** The worker's metrics, labelled by model and version. */
export interface WorkerMetrics {
  readonly predictions: Counter<'model' | 'version' | 'outcome'>;
  /** In Redis, before a worker took them. */
  readonly expired: Counter<'model'>;
  readonly dispatches: Counter<'model' | 'version' | 'reason'>;
  readonly batchRows: Histogram<'model' | 'version'>;
  readonly fillRatio: Histogram<'model' | 'version'>;
  readonly paddingRatio: Histogram<'model' | 'version'>;
  /** `phase` is queue, collate, inference, split or store. */
  readonly phaseSeconds: Histogram<'model' | 'version' | 'phase'>;
  readonly reruns: Counter<'model' | 'version'>;
  readonly bisected: Counter<'model' | 'version'>;
  readonly quarantines: Counter<'model' | 'version'>;
  readonly breakerOpenings: Counter<'model' | 'version'>;
  readonly runnerFaults: Counter<'model' | 'version' | 'code'>;
  /** `reason` is memory or age. */
  readonly recycled: Counter<'model' | 'version' | 'reason'>;
  readonly refusedTurns: Counter<'model' | 'version'>;
  readonly readyInstances: Gauge<'model' | 'version'>;
  readonly maxBatchElements: Gauge<'model' | 'version'>;
}

export function createWorkerMetrics(registry: Registry): WorkerMetrics {
  const registers = [registry];
  const version = ['model', 'version'] as const;
  return {
    predictions: new Counter({
      name: 'quern_worker_predictions_total',
      help: 'Predictions that left this worker, by outcome: succeeded, an error code, or returned.',
      labelNames: [...version, 'outcome'],
      registers,
    }),
    expired: new Counter({
      name: 'quern_predictions_expired_total',
      help: 'Predictions that waited in Redis when their deadline came, and were ended by this process.',
      labelNames: ['model'],
      registers,
    }),
    dispatches: new Counter({
      name: 'quern_worker_batches_total',
      help: 'Batches by the reason for which they were formed when they were.',
      labelNames: [...version, 'reason'],
      registers,
    }),
    batchRows: new Histogram({
      name: 'quern_worker_batch_rows',
      help: 'Rows per batch.',
      labelNames: version,
      buckets: [...BATCH_ROWS_BOUNDS],
      registers,
    }),
    fillRatio: new Histogram({
      name: 'quern_worker_batch_fill_ratio',
      help: 'Rows per batch over the maximum.',
      labelNames: version,
      buckets: RATIO_BUCKETS,
      registers,
    }),
    paddingRatio: new Histogram({
      name: 'quern_worker_batch_padding_ratio',
      help: 'Elements of a batch that are padding, over all its elements.',
      labelNames: version,
      buckets: RATIO_BUCKETS,
      registers,
    }),
    phaseSeconds: new Histogram({
      name: 'quern_worker_phase_seconds',
      help: 'Time of a batch by phase: queue (mean of its predictions), collate, inference, split, store.',
      labelNames: [...version, 'phase'],
      buckets: [...DURATION_BUCKETS_SECONDS],
      registers,
    }),
    reruns: new Counter({
      name: 'quern_worker_reruns_total',
      help: 'Runs made to find the predictions at fault in a failed batch.',
      labelNames: version,
      registers,
    }),
    bisected: new Counter({
      name: 'quern_worker_bisected_batches_total',
      help: 'Failed batches that were taken apart to find the predictions at fault.',
      labelNames: version,
      registers,
    }),
    quarantines: new Counter({
      name: 'quern_worker_quarantined_inputs_total',
      help: 'Inputs put in quarantine because they had twice ended the process of the model.',
      labelNames: version,
      registers,
    }),
    breakerOpenings: new Counter({
      name: 'quern_worker_breaker_openings_total',
      help: 'Times a version became unhealthy because it failed for an input that is known to be good.',
      labelNames: version,
      registers,
    }),
    runnerFaults: new Counter({
      name: 'quern_worker_run_faults_total',
      help: 'Runs that failed as a whole, by error code.',
      labelNames: [...version, 'code'],
      registers,
    }),
    recycled: new Counter({
      name: 'quern_worker_recycled_instances_total',
      help: 'Instances replaced by a warm successor although they worked, by reason: memory or age.',
      labelNames: [...version, 'reason'],
      registers,
    }),
    refusedTurns: new Counter({
      name: 'quern_worker_refused_turns_total',
      help: 'Times that a free instance with work had to wait because other models were using the device.',
      labelNames: version,
      registers,
    }),
    readyInstances: new Gauge({
      name: 'quern_worker_ready_instances',
      help: 'Loaded instances that can run.',
      labelNames: version,
      registers,
    }),
    maxBatchElements: new Gauge({
      name: 'quern_worker_max_batch_elements',
      help: 'What a batch may cost, in rows x elements of a row; absent while nothing limits it.',
      labelNames: version,
      registers,
    }),
  };
}
