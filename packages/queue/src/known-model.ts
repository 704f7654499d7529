import type {
  ModelSignature,
  ModelStats,
  ServedModel,
  ServedVersion,
  WorkerRecord,
} from '@quern/contract';

/** A version as all live workers together serve it; `offline` if none does. */
export interface KnownVersion {
  readonly version: number;
  readonly state: ServedVersion['state'] | 'offline';
  readonly reason?: string;
  readonly signature?: ModelSignature;
  readonly labels?: readonly string[];
  readonly executionProviders: readonly string[];
  readonly instances: number;
}

/** A model that some worker has served at some time. */
export interface KnownModel extends Omit<ServedModel, 'versions' | 'stats'> {
  /** Newest first. */
  readonly versions: readonly KnownVersion[];
  readonly liveWorkers: number;
  /** Summed over live workers. */
  readonly stats: ModelStats;
}

const STATE_RANK = { ready: 0, loading: 1, unhealthy: 2 } as const;

/**
 * Merges a model's last known record with what live workers say of it now.
 * @param workers the first that serves the model says its settings
 */
export function mergeModel(known: ServedModel, workers: readonly WorkerRecord[]): KnownModel {
  const live = workers.flatMap((worker) => worker.models.filter(({ name }) => name === known.name));
  // The settings of a live worker are newer than the last record.
  const { versions: _versions, stats: _stats, ...settings } = live[0] ?? known;
  const numbers = new Set(
    [...known.versions, ...live.flatMap(({ versions }) => versions)].map(({ version }) => version),
  );
  const versions = [...numbers]
    .sort((a, b) => b - a)
    .map((version) => mergeVersion(version, known, live));
  return {
    ...settings,
    versions,
    liveWorkers: live.length,
    stats: sumStats(live.flatMap(({ stats }) => (stats === undefined ? [] : [stats]))),
  };
}

function mergeVersion(
  version: number,
  known: ServedModel,
  live: readonly ServedModel[],
): KnownVersion {
  const served = live
    .flatMap(({ versions }) => versions)
    .filter((candidate) => candidate.version === version)
    .sort((a, b) => STATE_RANK[a.state] - STATE_RANK[b.state]);
  const record = known.versions.find((candidate) => candidate.version === version);
  const best = served[0];
  const described = served.find(({ signature }) => signature !== undefined) ?? record;
  const providers = served.flatMap(({ executionProvider }) => executionProvider ?? []);
  return {
    version,
    state: best?.state ?? 'offline',
    executionProviders: [...new Set(providers)],
    instances: served.reduce((sum, { instances }) => sum + instances, 0),
    ...(best?.reason !== undefined && { reason: best.reason }),
    ...(described?.signature !== undefined && { signature: described.signature }),
    ...(described?.labels !== undefined && { labels: described.labels }),
  };
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
