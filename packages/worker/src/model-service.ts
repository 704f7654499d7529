import { requiredConcurrency } from '@quern/batcher';
import {
  type InputReference,
  QuernError,
  type ServedModel,
  type ServedVersion,
} from '@quern/contract';
import {
  Consumer,
  type ConsumerOptions,
  type JobResult,
  type PayloadStore,
  type QueuedPrediction,
  ReturnToQueue,
} from '@quern/queue';
import type { RepositoryModel } from '@quern/runtime';
import type { Logger } from '@quern/service';
import type { DeviceTurns } from './device-turns.ts';
import type { InputFetcher } from './input-fetcher.ts';
import type { QuarantineAccess } from './input-guard.ts';
import type { InstancePlacer } from './instance-placer.ts';
import { ModelStatsRecorder } from './model-stats.ts';
import type { ProfileKeeper } from './profile-keeper.ts';
import { type RunnerEnvironment, runnerEntry } from './runner-entry.ts';
import type { VersionMeter } from './version-meter.ts';
import { VersionService } from './version-service.ts';

export interface ModelServiceOptions {
  readonly workerId: string;
  readonly model: RepositoryModel;
  readonly redis: ConsumerOptions['redis'];
  readonly payloads: PayloadStore;
  readonly runnerEnvironment: RunnerEnvironment;
  readonly placer: InstancePlacer;
  readonly lockDurationMs: number;
  readonly stalledIntervalMs: number;
  readonly quarantine: QuarantineAccess;
  readonly fetcher: InputFetcher;
  readonly profiles: (version: number) => ProfileKeeper;
  readonly turns: DeviceTurns;
  /** Also of versions that come here and are served elsewhere; they outlive this service. */
  readonly meterOf: (version: number) => VersionMeter;
  readonly logger: Logger;
  readonly onChange: () => void;
}

/** A prediction for a version that only other workers serve waits this long for one of them. */
const ELSEWHERE_DELAY_MS = 1000;
/** After so many starts on workers without its version, a prediction fails. */
const MAX_STARTS_ELSEWHERE = 60;

/**
 * One model on this worker: its queue's consumer in front, its versions behind. Once opened, it fetches
 * from the moment that one version is ready, but not while all are unhealthy.
 */
export class ModelService {
  readonly #options: ModelServiceOptions;
  readonly #versions: ReadonlyMap<number, VersionService>;
  readonly #consumer: Consumer;
  readonly #stats = new ModelStatsRecorder();
  /** The one before it, while that still runs versions that this one does not have. */
  predecessor: ModelService | undefined;
  /** Of `performance.now()`: when a version was last lent to the successor. */
  lentAtMs = Number.NEGATIVE_INFINITY;
  #isOpen = false;
  /** Predictions whose inputs are being fetched; they take no place of those that run. */
  #fetching = 0;
  #draining: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: ModelServiceOptions) {
    const { model, redis, workerId, logger } = options;
    this.#options = options;
    const { payloads } = options;
    const entry = runnerEntry(model, options.runnerEnvironment);
    const services = model.versions.map(
      (version) =>
        new VersionService({
          workerId,
          model,
          version,
          runnerEntry: entry,
          placer: options.placer,
          stats: this.#stats,
          meter: options.meterOf(version.version),
          quarantine: options.quarantine,
          profiles: options.profiles(version.version),
          turns: options.turns,
          logger,
          removeResults: (keys) => this.#removeResults(payloads, keys),
          onChange: () => this.#onVersionChange(),
        }),
    );
    this.#versions = new Map(services.map((service) => [service.version, service]));
    this.#consumer = new Consumer({
      redis,
      payloads,
      model: model.name,
      workerName: workerId,
      concurrency: this.#concurrency(),
      lockDurationMs: options.lockDurationMs,
      stalledIntervalMs: options.stalledIntervalMs,
      handler: (prediction) => this.#handle(prediction),
      onError: (error) => logger.warn({ err: error, model: model.name }, 'Queue error'),
    });
  }

  /** What cannot be removed now, ends by itself. */
  async #removeResults(payloads: PayloadStore, keys: readonly string[]): Promise<void> {
    const { logger } = this.#options;
    await payloads
      .remove(keys)
      .catch((error: unknown) => logger.warn({ err: error, model: this.name }, 'Results remain'));
  }

  get name(): string {
    return this.#options.model.name;
  }

  get settings(): ServedModel['queue'] {
    return this.#options.model.config.queue;
  }

  /** Lets it fetch; before, it only loads. */
  open(): void {
    this.#isOpen = true;
    this.#fetchIfReady();
  }

  /** Ends the fetching for good; what is held runs. */
  async stopFetching(): Promise<void> {
    this.#isOpen = false;
    await this.#consumer.pause();
  }

  /** A version for the successor to run a prediction on. */
  lend(version: number): VersionService | undefined {
    const service = this.#versions.get(version);
    if (service !== undefined) this.lentAtMs = performance.now();
    return service;
  }

  /** True if it runs versions that another one does not have. */
  hasMoreThan(other: ModelService): boolean {
    return [...this.#versions.keys()].some((version) => !other.#versions.has(version));
  }

  /** True if some version can run. */
  get isReady(): boolean {
    return [...this.#versions.values()].some(({ state }) => state === 'ready');
  }

  /** Which versions cannot run, and why; undefined if all can. */
  get fault(): string | undefined {
    const faults = [...this.#versions.values()].flatMap((version) =>
      version.state === 'ready' ? [] : [describeFault(version.served())],
    );
    return faults.length === 0 ? undefined : faults.join('; ');
  }

  /** True if some version can run; also true of one that never will, once that is known. */
  get isSettled(): boolean {
    return [...this.#versions.values()].every(({ state }) => state !== 'loading');
  }

  /** As the registry shows it. */
  served(): ServedModel {
    const { name, config } = this.#options.model;
    const { description, license, origin, batching, queue } = config;
    return {
      name,
      batching,
      queue,
      versions: [...this.#versions.values()].map((version) => version.served()),
      stats: this.#stats.snapshot(),
      ...(description !== undefined && { description }),
      ...(license !== undefined && { license }),
      ...(origin !== undefined && { origin }),
    };
  }

  /** Predictions to hold at a time; how many instances there are shows only when they are placed. */
  #concurrency(): number {
    const { batching } = this.#options.model.config;
    return [...this.#versions.values()]
      .map(({ instances }) => requiredConcurrency(batching, instances ?? 1))
      .reduce((sum, concurrency) => sum + concurrency, this.#fetching);
  }

  #onVersionChange(): void {
    this.#consumer.concurrency = this.#concurrency();
    this.#fetchIfReady();
    this.#options.onChange();
  }

  #fetchIfReady(): void {
    if (!this.#isOpen || this.#draining !== undefined) return;
    const states = [...this.#versions.values()].map(({ state }) => state);
    if (states.includes('ready')) this.#consumer.start();
    // What cannot run here stays where other workers find it.
    else if (!states.includes('loading')) void this.#consumer.pause();
  }

  async #handle(prediction: QueuedPrediction): Promise<JobResult> {
    const meter = this.#options.meterOf(prediction.data.version);
    const sinceAcceptedMs = (): number => Math.max(0, Date.now() - prediction.createdAtMs);
    try {
      const result = await this.#runOn(prediction);
      this.#stats.success();
      meter.ended('succeeded', sinceAcceptedMs());
      return result;
    } catch (error) {
      if (error instanceof ReturnToQueue) {
        meter.ended('returned', sinceAcceptedMs());
      } else {
        this.#stats.failure();
        meter.ended(error instanceof QuernError ? error.code : 'INTERNAL', sinceAcceptedMs());
      }
      throw error;
    }
  }

  #runOn(prediction: QueuedPrediction): Promise<JobResult> {
    const { version } = prediction.data;
    const service = this.#versions.get(version) ?? this.predecessor?.lend(version);
    if (service !== undefined) {
      const { references } = prediction.data;
      if (references === undefined) return service.run(prediction);
      return this.#runFetched(prediction, references, service);
    }
    if (prediction.attempt < MAX_STARTS_ELSEWHERE) {
      throw new ReturnToQueue(`version ${version} is not served here`, ELSEWHERE_DELAY_MS);
    }
    throw new QuernError(
      'VERSION_NOT_FOUND',
      `No worker serves version ${version} of ${this.name}.`,
    );
  }

  async #runFetched(
    prediction: QueuedPrediction,
    references: readonly InputReference[],
    service: VersionService,
  ): Promise<JobResult> {
    const { signature } = service.served();
    this.#countFetching(1);
    let complete: QueuedPrediction;
    try {
      complete = await this.#options.fetcher.fetched(prediction, references, signature);
    } finally {
      this.#countFetching(-1);
    }
    return service.run(complete);
  }

  #countFetching(change: 1 | -1): void {
    this.#fetching += change;
    this.#consumer.concurrency = this.#concurrency();
  }

  /** Gives up a prediction, if it is held here. */
  cancel(id: string): void {
    this.#consumer.cancel(id);
  }

  /** Stops fetching, gives back what has not started, and resolves when what runs has ended. */
  drain(): Promise<void> {
    this.#draining ??= this.#drain();
    return this.#draining;
  }

  async #drain(): Promise<void> {
    await this.#consumer.pause();
    await Promise.all([...this.#versions.values()].map((version) => version.drain()));
  }

  /** Drains, ends the runners after the grace, and resolves when every prediction is settled in Redis. */
  close(graceMs: number): Promise<void> {
    this.#closing ??= this.#close(graceMs);
    return this.#closing;
  }

  async #close(graceMs: number): Promise<void> {
    const drained = this.drain();
    await Promise.all([...this.#versions.values()].map((version) => version.close(graceMs)));
    await drained;
    await this.#consumer.close();
  }
}

function describeFault({ version, state, reason }: ServedVersion): string {
  return `version ${version} is ${state}${reason === undefined ? '' : `: ${reason}`}`;
}
