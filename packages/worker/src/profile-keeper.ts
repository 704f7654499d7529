import { LaneProfiles, RunProfile, type RunSample } from '@quern/batcher';
import type { ModelSignature, ServedVersion } from '@quern/contract';
import type { ProfileRecord, ProfileReset, ProfileStore } from '@quern/queue';
import { deviceKind, type LoadedModel, type RunnerModel } from '@quern/runtime';
import type { Logger } from '@quern/service';
import { BATCH_OVERHEAD_MS } from './batch-overhead.ts';
import { LaneBuckets } from './lane-buckets.ts';
import { measuredProfiles } from './measured-profiles.ts';

/** The first saving comes soon, so that a replica that starts a little later is informed. */
const FIRST_SAVE_MS = 3000;
const SAVE_INTERVAL_MS = 30_000;
/** Replicas that started together do not save together. */
const JITTER = 0.25;
/** A shutdown does not wait longer for Redis. */
const CLOSING_SAVE_MS = 2000;

/** What was known of a version when the worker started. */
export interface KnownProfiles {
  /** Of this version's files alone. */
  readonly records: readonly ProfileRecord[];
  /** Tells the version's files from others. */
  readonly fingerprint: string;
  /** The mark of the version's last reset. */
  readonly reset: string | undefined;
}

export interface ProfileKeeperOptions {
  readonly store: ProfileStore;
  readonly model: string;
  readonly version: number;
  /** Absent if they could not be read: nothing is saved then. */
  readonly known: KnownProfiles | undefined;
  /** False while Redis is away: nothing waits for it. */
  readonly isStoreReady: () => boolean;
  readonly logger: Logger;
}

/**
 * Keeps what one version on this worker learns of its run times: begins with what is stored, saves what
 * has changed now and then and at the end, and forgets when it is told to. Faults are logged and change
 * nothing else: without the store every worker learns for itself.
 */
export class ProfileKeeper {
  readonly #options: ProfileKeeperOptions;
  #reset: string | undefined;
  #begun:
    | { profiles: LaneProfiles; executionProvider: string; device: string; maxBatchSize: number }
    | undefined;
  #buckets: LaneBuckets | undefined;
  #source: NonNullable<ServedVersion['profile']>['source'] = 'none';
  #savedText = '';
  #timer: NodeJS.Timeout | undefined;
  #saving: Promise<void> = Promise.resolve();
  #closing: Promise<void> | undefined;

  constructor(options: ProfileKeeperOptions) {
    this.#options = options;
    this.#reset = options.known?.reset;
  }

  /** As the registry shows it; undefined until the model is loaded. */
  get served(): ServedVersion['profile'] {
    if (this.#begun === undefined) return undefined;
    return { source: this.#source, device: this.#begun.device };
  }

  /**
   * The model with a shorter warm-up where the run times on this device are known: it runs the smallest
   * and the best batch, so that what ONNX Runtime prepares at the first run is done.
   */
  informed(model: RunnerModel): RunnerModel {
    const { executionProviders, threads, maxBatchSize } = model;
    const known = executionProviders.flatMap((provider) => {
      const record = this.#recordFor(provider, deviceKind(provider, threads));
      if (record === undefined || record.seed.length === 0) return [];
      // With another largest batch there are sizes of which nothing is known.
      if (record.maxBatchSize !== maxBatchSize) return [];
      const { knee: best } = kneeOf(record.seed, maxBatchSize);
      return [[provider, [...new Set([1, best ?? maxBatchSize])]] as const];
    });
    if (known.length === 0) return model;
    return { ...model, warmup: { ...model.warmup, knownSizes: Object.fromEntries(known) } };
  }

  /** The profiles to batch with, once the model is loaded; from now on they are saved. */
  begin(loaded: LoadedModel, { threads, maxBatchSize }: RunnerModel): LaneProfiles {
    const { executionProvider } = loaded;
    const device = deviceKind(executionProvider, threads);
    const record = this.#recordFor(executionProvider, device);
    const measured = measuredProfiles(loaded);
    const profiles = record === undefined ? measured : restored(record, measured.toJSON().seed);
    const hasMeasured = !loaded.shapesGuessed && loaded.warmupProfile.length > 0;
    this.#source = record !== undefined ? 'stored' : hasMeasured ? 'measured' : 'none';
    this.#begun = { profiles, executionProvider, device, maxBatchSize };
    if (this.#options.known !== undefined) this.#schedule(FIRST_SAVE_MS);
    return profiles;
  }

  /**
   * The buckets that its lanes are named after, beginning with those that were stored; to be called after
   * `begin`. They are saved along.
   */
  beginBuckets(signature: ModelSignature): LaneBuckets {
    const begun = this.#begun;
    const record = begun && this.#recordFor(begun.executionProvider, begun.device);
    this.#buckets = new LaneBuckets(signature, record?.buckets);
    return this.#buckets;
  }

  /** Forgets what was stored and learnt, if this version is meant. */
  forget({ mark, versions }: ProfileReset): void {
    if (versions.includes(this.#options.version)) this.#forget(mark);
  }

  /** Saves what has changed. Never rejects. */
  save(): Promise<void> {
    this.#saving = this.#saving
      .then(() => this.#save())
      .catch((error: unknown) => {
        const { model, version, logger } = this.#options;
        logger.warn({ err: error, model, version }, 'The run times could not be saved');
      });
    return this.#saving;
  }

  /** Saves for the last time, unless Redis is away. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    clearTimeout(this.#timer);
    let timer: NodeJS.Timeout | undefined;
    const tooLong = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, CLOSING_SAVE_MS);
    });
    await Promise.race([this.save(), tooLong]);
    clearTimeout(timer);
  }

  #schedule(delayMs: number): void {
    const jitteredMs = delayMs * (1 + JITTER * (2 * Math.random() - 1));
    this.#timer = setTimeout(async () => {
      await this.save();
      if (this.#closing === undefined) this.#schedule(SAVE_INTERVAL_MS);
    }, jitteredMs);
  }

  async #save(): Promise<void> {
    const { store, model, isStoreReady } = this.#options;
    const record = this.#record();
    if (record === undefined || !isStoreReady()) return;
    const text = JSON.stringify({ ...record, savedAtMs: 0 });
    if (text === this.#savedText) return;
    const answer = await store.save(model, record, this.#reset);
    if ('reset' in answer) this.#forget(answer.reset);
    else if (answer.saved) this.#savedText = text;
  }

  /** What this worker itself knows; undefined while that is nothing. */
  #record(): ProfileRecord | undefined {
    const { known, version } = this.#options;
    if (known === undefined || this.#begun === undefined) return undefined;
    const { profiles, executionProvider, device, maxBatchSize } = this.#begun;
    const { seed, lanes } = profiles.toJSON();
    const observed = Object.entries(lanes).flatMap(([lane, snapshot]) => {
      const samples = snapshot.samples.map(withRuns);
      // Others may have learnt more of a lane that was not used here.
      if (samples.every(({ runs }) => runs === 0)) return [];
      return [[lane, { samples, ...kneeOf(snapshot.samples, maxBatchSize) }] as const];
    });
    if (seed.length === 0 && observed.length === 0) return undefined;
    const { knee: seedKnee } = kneeOf(seed, maxBatchSize);
    const buckets = this.#buckets?.learnt ?? [];
    return {
      format: 1,
      version,
      fingerprint: known.fingerprint,
      executionProvider,
      device,
      maxBatchSize,
      savedAtMs: Date.now(),
      seed: seed.map(withRuns),
      ...(seedKnee !== undefined && { seedKnee }),
      lanes: Object.fromEntries(observed),
      ...(buckets.some(({ length }) => length > 0) && {
        buckets: buckets.map((axis) => [...axis]),
      }),
    };
  }

  #recordFor(executionProvider: string, device: string): ProfileRecord | undefined {
    return this.#options.known?.records.find(
      (record) => record.executionProvider === executionProvider && record.device === device,
    );
  }

  #forget(mark: string): void {
    if (mark === this.#reset) return;
    this.#reset = mark;
    this.#savedText = '';
    this.#source = 'none';
    this.#begun?.profiles.clear();
    const { model, version, logger } = this.#options;
    logger.info({ model, version }, 'The learnt run times are forgotten, as was asked');
  }
}

/** @param measured takes the seed's place if none is stored */
function restored({ seed, lanes }: ProfileRecord, measured: readonly RunSample[]): LaneProfiles {
  const snapshot = { seed: seed.length > 0 ? seed : measured, lanes };
  return LaneProfiles.fromJSON(snapshot, BATCH_OVERHEAD_MS);
}

function kneeOf(samples: readonly RunSample[], maxBatchSize: number): { knee?: number } {
  const knee = RunProfile.fromJSON({ samples }, BATCH_OVERHEAD_MS).bestSize(maxBatchSize);
  return knee === undefined ? {} : { knee };
}

function withRuns({ rows, timeMs, runs = 0 }: RunSample & { runs?: number }) {
  return { rows, timeMs, runs };
}
