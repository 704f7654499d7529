import { Batcher, EntryDropped, LaneProfiles, realClock } from '@quern/batcher';
import { QuernError, type ServedVersion } from '@quern/contract';
import {
  canceledError,
  expiredError,
  type JobResult,
  type QueuedPrediction,
  ReturnToQueue,
} from '@quern/queue';
import {
  type LoadedModel,
  type ModelVersion,
  type RepositoryModel,
  type RunnerEntryPoint,
  RunnerFault,
  RunnerPool,
  type RunnerPoolStatus,
  toRecyclePolicy,
  toRunnerModel,
} from '@quern/runtime';
import type { Logger } from '@quern/service';
import { toEntry } from './batch-entry.ts';
import { executeBatch, type RanBatch } from './execute-batch.ts';
import type { ModelStatsRecorder } from './model-stats.ts';
import { reportRecycle } from './report-recycle.ts';
import type { VersionMeter } from './version-meter.ts';

export interface VersionServiceOptions {
  readonly workerId: string;
  readonly model: RepositoryModel;
  readonly version: ModelVersion;
  readonly runnerEntry: RunnerEntryPoint;
  readonly stats: ModelStatsRecorder;
  readonly meter: VersionMeter;
  readonly logger: Logger;
  /** The state that the registry shows has changed. */
  readonly onChange: () => void;
}

/** A prediction for a version that is not ready here goes back to the queue for this long. */
const NOT_READY_DELAY_MS = 500;

/**
 * One version of a model on this worker: its runner processes and the batcher in front of them. The
 * batcher exists from the moment the first runner has loaded the model; from then on it lives through
 * crashes, holding entries while no runner is ready.
 */
export class VersionService {
  readonly #options: VersionServiceOptions;
  readonly #pool: RunnerPool;
  readonly #labels: { model: string; version: string };
  #batcher: Batcher<QueuedPrediction, JobResult> | undefined;
  #loaded: LoadedModel | undefined;
  #state: ServedVersion['state'] = 'loading';
  #reason: string | undefined;
  #readyInstances = 0;
  #isStopping = false;

  constructor(options: VersionServiceOptions) {
    const { model, version, runnerEntry, logger, meter } = options;
    this.#options = options;
    this.#labels = { model: model.name, version: String(version.version) };
    this.#pool = new RunnerPool({
      ...runnerEntry,
      model: toRunnerModel(model, version),
      instances: model.config.instances.count,
      recycle: toRecyclePolicy(model.config.instances),
      onStateChange: (state) => this.#onPoolState(state),
      onRecycle: (event) => reportRecycle(event, { meter, logger, labels: this.#labels }),
      onLog: ({ level, message }) => logger[level](this.#labels, message),
    });
  }

  get version(): number {
    return this.#options.version.version;
  }

  get state(): ServedVersion['state'] {
    return this.#state;
  }

  /** As the registry shows it. */
  served(): ServedVersion {
    const { model } = this.#options;
    return {
      version: this.version,
      state: this.#state,
      instances: this.#readyInstances,
      stats: this.#options.meter.snapshot(),
      ...(this.#reason !== undefined && { reason: this.#reason }),
      ...(this.#loaded !== undefined && {
        signature: this.#loaded.signature,
        executionProvider: this.#loaded.executionProvider,
      }),
      ...(model.labels !== undefined && { labels: [...model.labels] }),
    };
  }

  #onPoolState(pool: RunnerPoolStatus): void {
    const { logger, meter, onChange } = this.#options;
    const before = this.#state;
    this.#readyInstances = pool.readyInstances;
    this.#state = pool.state;
    this.#reason = pool.reason;
    meter.instances(pool.readyInstances);
    if (pool.loaded !== undefined && this.#loaded === undefined) this.#begin(pool.loaded);
    this.#batcher?.setInstances(pool.readyInstances);
    if (before !== this.#state) {
      const level = this.#state === 'unhealthy' ? 'error' : 'info';
      const provider = this.#loaded?.executionProvider;
      logger[level](
        { ...this.#labels, instances: pool.readyInstances, provider, reason: pool.reason },
        `Model ${this.#labels.model}:${this.#labels.version} is ${this.#state}`,
      );
    }
    onChange();
  }

  #begin(loaded: LoadedModel): void {
    const { model, logger } = this.#options;
    this.#loaded = loaded;
    for (const warning of loaded.warnings) logger.warn(this.#labels, warning);
    const { batching } = model.config;
    const isBatchable = loaded.signature.batchable;
    this.#batcher = new Batcher<QueuedPrediction, JobResult>({
      settings: isBatchable ? batching : { ...batching, mode: 'off', maxBatchSize: 1 },
      instances: 0,
      clock: realClock,
      // A profile measured at guessed dimensions would mislead about real ones.
      profiles: new LaneProfiles(loaded.shapesGuessed ? [] : loaded.warmupProfile),
      run: (batch) =>
        executeBatch(batch, {
          runner: this.#pool,
          batchId: `${this.#options.workerId}.${this.version}.${batch.id}`,
          executionProvider: loaded.executionProvider,
          onRun: (ran) => this.#recordRun(ran),
          onFault: (error) => this.#recordFault(error),
          onReruns: (reruns) => this.#options.meter.reran(reruns),
        }),
      onBatch: ({ batch, fillRatio }) => this.#options.meter.formed(batch.reason, fillRatio),
    });
  }

  #recordRun(ran: RanBatch): void {
    const { rows, predictions, inferenceMs, meanQueueMs } = ran;
    this.#options.stats.batch({ rows, predictions, inferenceMs, meanQueueMs });
    this.#options.meter.ran(ran);
  }

  #recordFault(error: QuernError): void {
    this.#options.meter.faulted(error.code);
    this.#options.logger.warn({ ...this.#labels, code: error.code }, error.message);
  }

  /**
   * Runs a prediction in some batch.
   * @throws ReturnToQueue if it did not run here; QuernError if it failed, was canceled or expired
   */
  async run(prediction: QueuedPrediction): Promise<JobResult> {
    const batcher = this.#batcher;
    if (batcher === undefined || this.#state === 'unhealthy') {
      throw new ReturnToQueue(`version ${this.version} is ${this.#state}`, NOT_READY_DELAY_MS);
    }
    // Its wait counts from here: under a backlog every prediction has long waited in Redis.
    const entry = toEntry(prediction, realClock.nowMs());
    prediction.cancellation.onCancel(() => batcher.abort(entry));
    try {
      return await batcher.submit(entry);
    } catch (error) {
      throw this.#reasonFor(error, prediction);
    }
  }

  /** What the queue is told of a prediction that has no result. */
  #reasonFor(error: unknown, { data }: QueuedPrediction): unknown {
    if (error instanceof EntryDropped) {
      if (error.reason === 'aborted') return canceledError();
      if (error.reason === 'expired') return expiredError();
      if (error.reason === 'oversized') {
        return new QuernError('INVALID_INPUT', `${data.rows} rows are more than one batch takes.`);
      }
      return new ReturnToQueue(error.message);
    }
    // No model saw it: another runner or worker may.
    if (error instanceof RunnerFault && !error.started) {
      return new ReturnToQueue(error.message, this.#isStopping ? 0 : NOT_READY_DELAY_MS);
    }
    // A run that the shutdown ended is nobody's fault.
    if (this.#isStopping && error instanceof QuernError && error.retryable) {
      return new ReturnToQueue(error.message);
    }
    return error;
  }

  /** Gives back what has not started, and resolves when what runs has ended. */
  async drain(): Promise<void> {
    this.#isStopping = true;
    await this.#batcher?.drain();
  }

  /** Ends the runners; what still runs after the grace is cut off. */
  async close(graceMs: number): Promise<void> {
    this.#isStopping = true;
    await this.#pool.close({ graceMs });
    await this.#batcher?.close();
  }
}
