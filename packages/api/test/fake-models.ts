import type { ServedModel, VersionStats, WorkerRecord } from '@quern/contract';

const QUEUE: ServedModel['queue'] = {
  maxSize: 10_000,
  timeoutMs: null,
  attempts: 3,
  retention: {
    succeeded: { ageSeconds: 3600, count: 1000 },
    failed: { ageSeconds: 86_400, count: 1000 },
  },
};

const STATS: NonNullable<ServedModel['stats']> = {
  rowsPerSecond: 120,
  predictionsPerSecond: 60,
  batches: 10,
  rows: 40,
  meanBatchRows: 4,
  meanInferenceMs: 2.5,
  meanQueueMs: 1.5,
  failed: 1,
};

/** What each of PAIR's versions has done. */
export const VERSION_STATS: VersionStats = {
  batches: 10,
  rows: 40,
  succeeded: 38,
  failed: 1,
  expired: 2,
  reruns: 3,
  quarantined: 0,
  recycled: 1,
  batchRows: [2, 0, 8],
  fillRatio: 0.25,
  paddingRatio: 0,
  phasesMs: { queue: 1.5, collate: 0.1, inference: 2.5, split: 0.1, store: 0 },
  reasons: { idle: 2, full: 8 },
};

/** A row of two numbers in, a row of two numbers out; two versions. */
export const PAIR: ServedModel = {
  name: 'pair',
  description: 'Gives back what it takes',
  license: 'CC0-1.0',
  batching: { mode: 'auto', maxBatchSize: 16, maxQueueDelayMs: 2 },
  queue: QUEUE,
  stats: STATS,
  versions: [2, 1].map((version) => ({
    version,
    state: 'ready' as const,
    instances: 1,
    executionProvider: 'cpu',
    labels: ['left', 'right'],
    stats: VERSION_STATS,
    profile: { source: 'stored' as const, device: 'test-cpu.1t' },
    signature: {
      inputs: [{ name: 'x', datatype: 'FP32' as const, shape: [-1, 2] }],
      outputs: [{ name: 'y', datatype: 'FP32' as const, shape: [-1, 2] }],
      batchable: true,
      maxRows: 8,
    },
  })),
};

/** A row of a quarter of a megabyte. */
export const WIDE: ServedModel = {
  name: 'wide',
  batching: { mode: 'auto', maxBatchSize: 16, maxQueueDelayMs: 2 },
  queue: QUEUE,
  versions: [
    {
      version: 1,
      state: 'ready',
      instances: 1,
      signature: {
        inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 65_536] }],
        outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 65_536] }],
        batchable: true,
        maxRows: 8,
      },
    },
  ],
};

/** Takes integers beyond 2^53; its queue takes two predictions. */
export const EXACT: ServedModel = {
  name: 'exact',
  batching: { mode: 'off', maxBatchSize: 1, maxQueueDelayMs: 0 },
  queue: { ...QUEUE, maxSize: 2 },
  versions: [
    {
      version: 1,
      state: 'ready',
      instances: 1,
      signature: {
        inputs: [{ name: 'n', datatype: 'INT64', shape: [-1] }],
        outputs: [
          { name: 'n', datatype: 'INT64', shape: [-1] },
          { name: 'text', datatype: 'BYTES', shape: [-1] },
        ],
        batchable: true,
        maxRows: 8,
      },
    },
  ],
};

/** A file that no worker could load. */
export const BROKEN: ServedModel = {
  name: 'broken',
  batching: { mode: 'auto', maxBatchSize: 16, maxQueueDelayMs: 2 },
  queue: QUEUE,
  versions: [{ version: 1, state: 'unhealthy', reason: 'the file is cut off', instances: 0 }],
};

export function workerRecord(models: readonly ServedModel[]): WorkerRecord {
  return {
    workerId: 'test-worker',
    hostname: 'here',
    pid: process.pid,
    startedAtMs: Date.now(),
    models: [...models],
  };
}
