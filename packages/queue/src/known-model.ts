import {
  type ModelSignature,
  type ModelStats,
  mergeVersionStats,
  type ServedModel,
  type ServedVersion,
  type VersionStats,
  type WorkerRecord,
} from '@quern/contract';
import { type KnownRecord, outdatedVersions } from './known-record.ts';
import type { WishesByModel } from './model-wishes.ts';

/** A version as all live workers together serve it. */
export interface KnownVersion {
  readonly version: number;
  /** If no live worker serves it: `unloaded` where that is an administrator's wish, else `offline`. */
  readonly state: ServedVersion['state'] | 'unloaded' | 'offline';
  readonly reason?: string;
  readonly signature?: ModelSignature;
  readonly labels?: readonly string[];
  readonly executionProviders: readonly string[];
  readonly instances: number;
  /** Threads of each instance, where all workers have the same; the most that one has if not. */
  readonly threads?: number;
  /** Of all live workers together; absent if none serves it. */
  readonly stats?: VersionStats;
  /** What its live workers began with, each once. */
  readonly profiles: readonly NonNullable<ServedVersion['profile']>[];
  /** It was taken away, or its worker has been down for a while; see `KnownRecord`. */
  readonly isOutdated?: true;
}

/** A model that some worker has loaded at some time, or that a live one fails to load. */
export interface KnownModel extends Omit<ServedModel, 'versions' | 'stats'> {
  /** Newest first. */
  readonly versions: readonly KnownVersion[];
  readonly liveWorkers: number;
  /** An administrator wishes that no worker serves it. */
  readonly isUnloaded: boolean;
  /** Summed over live workers. */
  readonly stats: ModelStats;
}

const STATE_RANK = { ready: 0, loading: 1, unhealthy: 2, unloading: 3 } as const;

/**
 * Merges what is known of models with what live workers say of them now.
 * @param workers the first that serves a model says its settings
 */
export function mergeModels(
  records: readonly KnownRecord[],
  workers: readonly WorkerRecord[],
  wishes: WishesByModel = new Map(),
): ReadonlyMap<string, KnownModel> {
  const known = new Map(records.map((record) => [record.name, record]));
  const served = workers.flatMap((worker) => worker.models);
  const models = new Map<string, KnownModel>();
  for (const name of new Set([...known.keys(), ...served.map((model) => model.name)])) {
    const live = served.filter((model) => model.name === name);
    const isUnloaded = wishes.get(name)?.wish === 'unloaded';
    const model = mergeModel(known.get(name), live, isUnloaded);
    if (model !== undefined) models.set(name, model);
  }
  return models;
}

function mergeModel(
  known: KnownRecord | undefined,
  live: readonly ServedModel[],
  isUnloaded: boolean,
): KnownModel | undefined {
  // The settings of a live worker are newer than the last record.
  const newest = live[0] ?? known;
  if (newest === undefined) return undefined;
  const { versions: _versions, ...settings } = newest;
  const recorded = known?.versions ?? [];
  const numbers = new Set(
    [...recorded, ...live.flatMap(({ versions }) => versions)].map(({ version }) => version),
  );
  const versions = [...numbers]
    .sort((a, b) => b - a)
    .map((version) => mergeVersion(version, known, live))
    .map((version) => (isUnloaded ? asUnloaded(version) : version));
  return {
    ...settings,
    versions,
    liveWorkers: live.length,
    isUnloaded,
    stats: sumStats(live.flatMap(({ stats }) => (stats === undefined ? [] : [stats]))),
  };
}

function asUnloaded(version: KnownVersion): KnownVersion {
  return version.state === 'offline' ? { ...version, state: 'unloaded' } : version;
}

function mergeVersion(
  version: number,
  known: KnownRecord | undefined,
  live: readonly ServedModel[],
): KnownVersion {
  const served = live
    .flatMap(({ versions }) => versions)
    .filter((candidate) => candidate.version === version)
    .sort((a, b) => STATE_RANK[a.state] - STATE_RANK[b.state]);
  const record = known?.versions.find((candidate) => candidate.version === version);
  const best = served[0];
  const described = served.find(({ signature }) => signature !== undefined) ?? record;
  const isOutdated =
    best === undefined && known !== undefined && outdatedVersions(known).has(version);
  const stats = served.flatMap((item) => item.stats ?? []);
  const threads = served.flatMap((candidate) => candidate.threads ?? []);
  const providers = served.flatMap(({ executionProvider }) => executionProvider ?? []);
  return {
    version,
    state: best?.state ?? 'offline',
    executionProviders: [...new Set(providers)],
    instances: served.reduce((sum, { instances }) => sum + instances, 0),
    ...(threads.length > 0 && { threads: Math.max(...threads) }),
    ...(best?.reason !== undefined && { reason: best.reason }),
    ...(described?.signature !== undefined && { signature: described.signature }),
    ...(described?.labels !== undefined && { labels: described.labels }),
    profiles: distinctProfiles(served),
    ...(stats.length > 0 && { stats: mergeVersionStats(stats) }),
    ...(isOutdated && { isOutdated }),
  };
}

function distinctProfiles(served: readonly ServedVersion[]): KnownVersion['profiles'] {
  const profiles = served.flatMap(({ profile }) => profile ?? []);
  return [...new Map(profiles.map((item) => [`${item.source} ${item.device}`, item])).values()];
}

function sumStats(stats: readonly ModelStats[]): ModelStats {
  const batches = stats.reduce((sum, item) => sum + item.batches, 0);
  // A mean over workers weighs each by its batches.
  const mean = (pick: (item: ModelStats) => number): number =>
    batches === 0 ? 0 : stats.reduce((sum, item) => sum + pick(item) * item.batches, 0) / batches;
  return {
    batches,
    rows: stats.reduce((sum, item) => sum + item.rows, 0),
    failed: stats.reduce((sum, item) => sum + item.failed, 0),
    rowsPerSecond: stats.reduce((sum, item) => sum + item.rowsPerSecond, 0),
    predictionsPerSecond: stats.reduce((sum, item) => sum + item.predictionsPerSecond, 0),
    meanBatchRows: mean((item) => item.meanBatchRows),
    meanInferenceMs: mean((item) => item.meanInferenceMs),
    meanQueueMs: mean((item) => item.meanQueueMs),
  };
}
