import {
  type ModelSignature,
  QuernError,
  type WorkerRecord,
  workerRecordSchema,
} from '@quern/contract';
import type { Redis } from 'ioredis';
import { REGISTRY_CHANNEL, WORKERS_KEY, workerKey } from './keys.ts';
import { type KnownModel, type KnownVersion, mergeModels } from './known-model.ts';
import { readRecords } from './known-records.ts';
import { readWishes } from './model-wishes.ts';
import { parseRecord } from './parse-json.ts';
import { redisFault } from './redis-connection.ts';

/** A model's version that predictions can be made for. */
export interface ModelTarget {
  readonly model: KnownModel;
  readonly version: number;
  readonly signature: ModelSignature;
  /** True if the caller named the version, false or absent if it is the default. */
  readonly isPinned?: boolean;
}

const REFRESH_INTERVAL_MS = 2000;
/** Names that nobody knows make the registry be read again, but no more often than this. */
const MIN_REFRESH_PAUSE_MS = 100;

export interface RegistryReaderOptions {
  readonly redis: Redis;
  readonly subscriber: Redis;
  readonly onError: (error: Error) => void;
}

/**
 * What is served, from memory: read at the start, again whenever a worker announces a change, and every
 * two seconds for what nobody announces (a worker's death, its figures).
 */
export class RegistryReader {
  readonly #options: RegistryReaderOptions;
  readonly #listeners = new Set<() => void>();
  #models: ReadonlyMap<string, KnownModel> = new Map();
  #workers: readonly WorkerRecord[] = [];
  #timer: NodeJS.Timeout | undefined;
  #refreshing: Promise<void> | undefined;
  #nextRefresh: Promise<void> | undefined;
  #refreshedAtMs = 0;

  constructor(options: RegistryReaderOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { subscriber, onError } = this.#options;
    subscriber.on('message', this.#onMessage);
    await subscriber.subscribe(REGISTRY_CHANNEL);
    await this.refresh();
    this.#timer = setInterval(() => void this.refresh().catch(onError), REFRESH_INTERVAL_MS);
  }

  readonly #onMessage = (channel: string): void => {
    if (channel === REGISTRY_CHANNEL) void this.refresh().catch(this.#options.onError);
  };

  /** Known models by name. */
  models(): KnownModel[] {
    return [...this.#models.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  model(name: string): KnownModel | undefined {
    return this.#models.get(name);
  }

  /** Workers with a live heartbeat, the one that started last first. */
  workers(): readonly WorkerRecord[] {
    return this.#workers;
  }

  /** Calls back after every refresh; returns the way to stop. */
  onRefresh(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * The model to predict with. A known model without a live worker is fine: its predictions wait.
   * @param version absent for the default: the newest version that is ready, else one that is loading, else the
   *   newest that was served last
   * @throws QuernError `MODEL_NOT_FOUND`, `VERSION_NOT_FOUND`; `MODEL_UNAVAILABLE` if workers run but
   *   cannot load it, or find it broken; `REDIS_UNAVAILABLE` if the model is not known and Redis is away
   */
  async resolve(name: string, version?: string): Promise<ModelTarget> {
    // A model may have come up a moment ago: look once more before saying no.
    if (!this.#models.has(name)) await this.#refreshForUnknown();
    const model = this.#models.get(name);
    if (model === undefined) throw modelNotFound(name, this.models());
    const candidate = version === undefined ? defaultVersion(model) : namedVersion(model, version);
    if (candidate.signature === undefined || candidate.state === 'unhealthy') {
      const fault = candidate.signature === undefined ? 'cannot be loaded' : 'is unhealthy';
      throw new QuernError(
        'MODEL_UNAVAILABLE',
        `Model ${name} version ${candidate.version} ${fault}: ${candidate.reason ?? 'no worker has read it yet'}`,
        { details: { retryAfterSeconds: 5 } },
      );
    }
    return {
      model,
      version: candidate.version,
      signature: candidate.signature,
      isPinned: version !== undefined,
    };
  }

  async #refreshForUnknown(): Promise<void> {
    if (performance.now() - this.#refreshedAtMs < MIN_REFRESH_PAUSE_MS) return;
    try {
      await this.refresh();
    } catch (error) {
      throw redisFault(error);
    }
  }

  /** Reads the registry as it is from this moment on: a reading that is under way may be too old. */
  refresh(): Promise<void> {
    if (this.#refreshing === undefined) {
      this.#refreshing = this.#read().finally(() => {
        this.#refreshing = undefined;
      });
      return this.#refreshing;
    }
    this.#nextRefresh ??= this.#refreshing
      .catch(() => {})
      .then(() => {
        this.#nextRefresh = undefined;
        return this.refresh();
      });
    return this.#nextRefresh;
  }

  async #read(): Promise<void> {
    const { redis } = this.#options;
    const [records, wishes, ids] = await Promise.all([
      readRecords(redis),
      readWishes(redis),
      redis.smembers(WORKERS_KEY),
    ]);
    const texts = ids.length === 0 ? [] : await redis.mget(...ids.map(workerKey));
    const dead = ids.filter((_, i) => texts[i] === null);
    if (dead.length > 0) await redis.srem(WORKERS_KEY, ...dead);
    const workers = texts
      .flatMap((text) => parseRecord(workerRecordSchema, text))
      .sort(compareNewestFirst);
    this.#refreshedAtMs = performance.now();
    this.#workers = workers;
    this.#models = mergeModels(records, workers, wishes);
    for (const listener of this.#listeners) listener();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#listeners.clear();
    this.#options.subscriber.off('message', this.#onMessage);
  }
}

/** Where workers disagree on a model's settings, the one that read them last is right. */
function compareNewestFirst(a: WorkerRecord, b: WorkerRecord): number {
  return b.startedAtMs - a.startedAtMs || (a.workerId < b.workerId ? -1 : 1);
}

function defaultVersion(model: KnownModel): KnownVersion {
  const usable = model.versions.filter(
    ({ state, signature }) => state !== 'unhealthy' && signature !== undefined,
  );
  const version =
    model.versions.find(({ state }) => state === 'ready') ??
    usable.find(({ state }) => state === 'loading') ??
    usable.find(({ isOutdated }) => isOutdated !== true) ??
    usable[0] ??
    model.versions.find(({ signature }) => signature !== undefined) ??
    model.versions[0];
  if (version === undefined) {
    const problem = model.problems?.join('; ') ?? 'it has no version';
    throw new QuernError('MODEL_UNAVAILABLE', `Model ${model.name} cannot be served: ${problem}`);
  }
  return version;
}

function namedVersion(model: KnownModel, version: string): KnownVersion {
  const found = model.versions.find((candidate) => String(candidate.version) === version);
  if (found !== undefined) return found;
  const known = model.versions.map((candidate) => candidate.version).join(', ');
  throw new QuernError(
    'VERSION_NOT_FOUND',
    `Model ${model.name} has no version ${JSON.stringify(version.slice(0, 40))}, expected one of ${known}.`,
  );
}

function modelNotFound(name: string, models: readonly KnownModel[]): QuernError {
  const shown = models.slice(0, 10).map((model) => model.name);
  const more = models.length > shown.length ? ', ...' : '';
  const known =
    shown.length === 0 ? 'no model is known yet' : `known are ${shown.join(', ')}${more}`;
  return new QuernError(
    'MODEL_NOT_FOUND',
    `Unknown model ${JSON.stringify(name.slice(0, 64))}; ${known}.`,
  );
}
