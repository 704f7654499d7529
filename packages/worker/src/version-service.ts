import {
  type Batch,
  Batcher,
  type BatchResult,
  LaneProfiles,
  type MemoryCap,
  realClock,
  runCost,
} from '@quern/batcher';
import { type QuernError, type ServedVersion, toQuernError } from '@quern/contract';
import { type JobResult, type QueuedPrediction, ReturnToQueue } from '@quern/queue';
import {
  type LoadedModel,
  type ModelVersion,
  type RepositoryModel,
  type RunnerEntryPoint,
  type RunnerModel,
  type RunnerPoolStatus,
  toRecyclePolicy,
  toRunnerModel,
} from '@quern/runtime';
import type { Logger } from '@quern/service';
import type { BatchMember } from './batch-entry.ts';
import { BATCH_OVERHEAD_MS } from './batch-overhead.ts';
import { deviceOf } from './device-of.ts';
import type { DeviceTurns } from './device-turns.ts';
import { endingOf, NOT_READY_DELAY_MS } from './ending-of.ts';
import { executeBatch, type RanBatch } from './execute-batch.ts';
import { InputGuard, type QuarantineAccess } from './input-guard.ts';
import type { InstancePlacer, Placement } from './instance-placer.ts';
import type { LaneBuckets } from './lane-buckets.ts';
import { memoryCapFor, watchMemory } from './memory-watch.ts';
import type { ModelStatsRecorder } from './model-stats.ts';
import { PlacedPool } from './placed-pool.ts';
import { PredictionRuns } from './prediction-runs.ts';
import type { ProfileKeeper } from './profile-keeper.ts';
import { reportRecycle } from './report-recycle.ts';
import { VersionHealth } from './version-health.ts';
import type { VersionMeter } from './version-meter.ts';

export interface VersionServiceOptions {
  readonly workerId: string;
  readonly model: RepositoryModel;
  readonly version: ModelVersion;
  readonly runnerEntry: RunnerEntryPoint;
  readonly placer: Pick<InstancePlacer, 'place'>;
  readonly stats: ModelStatsRecorder;
  readonly meter: VersionMeter;
  readonly quarantine: QuarantineAccess;
  readonly profiles: ProfileKeeper;
  readonly turns: DeviceTurns;
  readonly logger: Logger;
  /** Removes results that are not needed any more. */
  readonly removeResults: (keys: readonly string[]) => Promise<void>;
  /** The state that the registry shows has changed. */
  readonly onChange: () => void;
}

/**
 * One version of a model on this worker: its runner processes and the batcher in front of them. It goes
 *
 *     loading --(a runner is ready)--> ready --(all have died)--> loading ...
 *        |                               |
 *        '--(loads fail again and again)-'--(the breaker opens)--> unhealthy --(ready again)--> ready
 *
 * A batcher exists from the moment the first runner has loaded the model. It lives through crashes,
 * holding entries while no runner is ready; but when the version becomes unhealthy it gives back all
 * that has not started, for other workers or for later, and the next `ready` has a new one that knows
 * what the last one learnt.
 */
export class VersionService {
  readonly #options: VersionServiceOptions;
  readonly #pool: PlacedPool;
  #runnerModel: RunnerModel;
  readonly #labels: { model: string; version: string };
  readonly #health: VersionHealth;
  readonly #guard: InputGuard;
  readonly #memoryCap: MemoryCap;
  readonly #runs: PredictionRuns;
  #batcher: Batcher<BatchMember, JobResult> | undefined;
  #profiles: LaneProfiles | undefined;
  #buckets: LaneBuckets | undefined;
  /** Batchers of earlier times, while batches of theirs run. */
  readonly #draining = new Set<Promise<void>>();
  #poolStatus: RunnerPoolStatus = { state: 'loading', readyInstances: 0 };
  #loaded: LoadedModel | undefined;
  #state: ServedVersion['state'] = 'loading';
  #reason: string | undefined;
  #placement: Placement | undefined;
  #isStopping = false;

  constructor(options: VersionServiceOptions) {
    const { model, version, runnerEntry, placer, logger, meter, profiles } = options;
    this.#options = options;
    this.#labels = { model: model.name, version: String(version.version) };
    this.#runnerModel = toRunnerModel(model, version);
    this.#pool = new PlacedPool({
      ...runnerEntry,
      model: this.#runnerModel,
      prepare: (placed) => {
        this.#runnerModel = profiles.informed(placed);
        return this.#runnerModel;
      },
      place: (signal) => placer.place({ model, version, runnerEntry, signal }),
      onPlaced: (placement) => this.#onPlaced(placement),
      onError: (error) => this.#onNotPlaced(error),
      recycle: toRecyclePolicy(model.config.instances),
      onStateChange: (state) => this.#onPoolState(state),
      onRecycle: (event) => reportRecycle(event, { meter, logger, labels: this.#labels }),
      onLog: ({ level, message }) => logger[level](this.#labels, message),
    });
    this.#health = new VersionHealth({
      runners: this.#pool,
      clock: realClock,
      onChange: () => this.#onChange(),
      onOpen: () => meter.breakerOpened(),
    });
    this.#guard = new InputGuard({
      ...options.quarantine,
      model: model.name,
      version: version.version,
      quarantineMs: model.config.queue.quarantineSeconds * 1000,
      control: () => this.#health.control(),
      onQuarantined: ({ fingerprint, reason, untilMs }) => {
        const until = new Date(untilMs).toISOString();
        meter.inputQuarantined();
        logger.warn({ ...this.#labels, fingerprint, until, reason }, 'Input quarantined');
      },
      onError: (error) => logger.warn({ ...this.#labels, err: error }, 'Quarantine unavailable'),
    });
    const { batching } = model.config;
    this.#memoryCap = memoryCapFor(batching, {
      logger: logger.child(this.#labels),
      meter,
    });
    this.#runs = new PredictionRuns({
      mode: batching.mode,
      runner: this.#pool,
      instances: () => this.#poolStatus.readyInstances,
      removeResults: options.removeResults,
      nowMs: () => realClock.nowMs(),
    });
  }

  get version(): number {
    return this.#options.version.version;
  }

  get state(): ServedVersion['state'] {
    return this.#state;
  }

  /** How many instances there are when all are well; undefined until it is known. */
  get instances(): number | undefined {
    return this.#placement?.instances;
  }

  /** As the registry shows it. */
  served(): ServedVersion {
    const { model, profiles } = this.#options;
    const profile = profiles.served;
    return {
      version: this.version,
      state: this.#state,
      instances: this.#poolStatus.readyInstances,
      ...(this.#placement !== undefined && { threads: this.#placement.threads }),
      stats: this.#options.meter.snapshot(),
      ...(this.#reason !== undefined && { reason: this.#reason }),
      ...(this.#memoryCap.elements < Number.POSITIVE_INFINITY && {
        maxBatchElements: this.#memoryCap.elements,
      }),
      ...(this.#loaded !== undefined && {
        signature: this.#loaded.signature,
        executionProvider: this.#loaded.executionProvider,
      }),
      ...(profile !== undefined && { profile }),
      ...(model.labels !== undefined && { labels: [...model.labels] }),
    };
  }

  #onPlaced(placement: Placement): void {
    this.#placement = placement;
    const { instances, threads, deviceIds } = placement;
    const what = `${instances} x ${threads} ${threads === 1 ? 'thread' : 'threads'}`;
    const devices = deviceIds.length === 0 ? '' : ` on CUDA devices ${deviceIds.join(', ')}`;
    this.#options.logger.info(
      { ...this.#labels, instances, threads, deviceIds },
      `Model ${this.#labels.model}:${this.#labels.version} gets ${what}${devices}`,
    );
  }

  #onNotPlaced(error: unknown): void {
    const reason = `its instances could not be placed: ${toQuernError(error).message}`;
    this.#onPoolState({ state: 'unhealthy', readyInstances: 0, reason });
  }

  #onPoolState(pool: RunnerPoolStatus): void {
    this.#poolStatus = pool;
    if (pool.loaded !== undefined && this.#loaded === undefined) this.#introduce(pool.loaded);
    this.#onChange();
  }

  #introduce(loaded: LoadedModel): void {
    this.#loaded = loaded;
    this.#health.canControl = loaded.canControl;
    this.#profiles = this.#options.profiles.begin(loaded, this.#runnerModel);
    this.#buckets = this.#options.profiles.beginBuckets(loaded.signature);
    for (const warning of loaded.warnings) this.#options.logger.warn(this.#labels, warning);
  }

  /** The runners or the breaker say something new. */
  #onChange(): void {
    const pool = this.#poolStatus;
    const before = this.#state;
    this.#state = this.#health.reason === undefined ? pool.state : 'unhealthy';
    this.#reason = this.#health.reason ?? pool.reason;
    if (this.#state === 'unhealthy') this.#giveBack();
    else if (this.#loaded !== undefined) this.#batcher ??= this.#makeBatcher(this.#loaded);
    this.#batcher?.setInstances(pool.readyInstances);
    if (before !== this.#state) this.#logState();
    this.#options.onChange();
  }

  #logState(): void {
    const provider = this.#loaded?.executionProvider;
    const instances = this.#poolStatus.readyInstances;
    this.#options.logger[this.#state === 'unhealthy' ? 'error' : 'info'](
      { ...this.#labels, instances, provider, reason: this.#reason },
      `Model ${this.#labels.model}:${this.#labels.version} is ${this.#state}`,
    );
  }

  /** Returns what has not started to the queue; what runs goes on. */
  #giveBack(): void {
    const batcher = this.#batcher;
    if (batcher === undefined) return;
    this.#batcher = undefined;
    const drained = batcher.drain().finally(() => this.#draining.delete(drained));
    this.#draining.add(drained);
  }

  #makeBatcher(loaded: LoadedModel): Batcher<BatchMember, JobResult> {
    const { batching } = this.#options.model.config;
    const isBatchable = loaded.signature.batchable;
    const batcher = new Batcher<BatchMember, JobResult>({
      settings: isBatchable ? batching : { ...batching, mode: 'off', maxBatchSize: 1 },
      instances: 0,
      clock: realClock,
      profiles: this.#profiles ?? new LaneProfiles([], BATCH_OVERHEAD_MS),
      memoryCap: this.#memoryCap,
      run: (batch) => this.#runBatch(batch, loaded),
      turns: this.#options.turns.join({
        ...deviceOf(
          this.#options.model,
          loaded.executionProvider,
          this.#placement ?? { threads: this.#runnerModel.threads, deviceIds: [] },
          this.#options.turns.cores,
        ),
        onTurn: () => batcher.wake(),
        onRefused: () => this.#options.meter.turnRefused(),
      }),
      onBatch: ({ batch, fillRatio }) => this.#options.meter.formed(batch.reason, fillRatio),
    });
    return batcher;
  }

  async #runBatch(
    batch: Batch<BatchMember>,
    { executionProvider }: LoadedModel,
  ): Promise<BatchResult<JobResult>> {
    const { elementsPerRow } = runCost(batch.entries);
    let deviceMs = 0;
    let instanceMs = 0;
    const result = await executeBatch(batch, {
      runner: watchMemory(this.#pool, this.#memoryCap, elementsPerRow, realClock),
      batchId: `${this.#options.workerId}.${this.version}.${this.#options.meter.numberBatch()}`,
      executionProvider,
      isPadded: this.#buckets?.pads === true,
      guard: this.#guard,
      ...(this.#health.canControl && { control: () => this.#health.control() }),
      isModelBroken: () => this.#health.isBroken(),
      onRun: (ran) => {
        deviceMs += ran.inferenceMs;
        instanceMs += ran.collateMs + ran.inferenceMs + ran.splitMs + ran.storeMs;
        this.#recordRun(ran);
      },
      onFault: (error) => this.#recordFault(error),
      onReruns: (reruns) => this.#options.meter.reran(reruns),
    });
    return instanceMs === 0 ? result : { ...result, deviceMs, instanceMs };
  }

  #recordRun(ran: RanBatch): void {
    const { rows, inferenceMs, meanQueueMs } = ran;
    this.#options.stats.batch({ rows, inferenceMs, meanQueueMs });
    this.#options.meter.ran(ran);
    this.#health.succeeded();
  }

  #recordFault(error: QuernError): void {
    this.#options.meter.faulted(error.code);
    this.#options.logger.warn({ ...this.#labels, code: error.code }, error.message);
    this.#health.faulted(error);
  }

  /**
   * Runs a prediction in some batch.
   * @throws ReturnToQueue if it did not run here; QuernError if it failed, was canceled or expired
   */
  async run(prediction: QueuedPrediction): Promise<JobResult> {
    const batcher = this.#batcher;
    if (batcher === undefined) {
      throw new ReturnToQueue(`version ${this.version} is ${this.#state}`, NOT_READY_DELAY_MS);
    }
    try {
      return await this.#runs.run(this.#buckets?.assign(prediction) ?? prediction, batcher);
    } catch (error) {
      throw endingOf(error, prediction, this.#isStopping);
    }
  }

  /** Gives back what has not started, and resolves when what runs has ended. */
  async drain(): Promise<void> {
    this.#isStopping = true;
    await Promise.all([this.#batcher?.drain(), ...this.#draining]);
  }

  /** Ends the runners; what still runs after the grace is cut off. */
  async close(graceMs: number): Promise<void> {
    this.#isStopping = true;
    this.#health.close();
    await this.#pool.close({ graceMs });
    await Promise.all([this.#batcher?.close(), ...this.#draining]);
    await this.#options.profiles.close();
    await this.#runs.cleared();
  }
}
