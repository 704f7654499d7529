import {
  DATATYPES,
  FIELD_KINDS,
  type Field,
  type ModelStats,
  type TensorSpec,
} from '@quern/contract';
import type { KnownModel, KnownVersion, ProfileRecord, QueueDepth } from '@quern/queue';
import { z } from 'zod';
import { profileSourceSchema, profilesToWire, wireProfileSchema } from './profile-to-wire.ts';
import { versionStatsToWire, wireVersionStatsSchema } from './version-stats-to-wire.ts';

const STATES = ['ready', 'loading', 'unhealthy', 'unloading', 'unloaded', 'offline'] as const;

const tensorSchema = z
  .object({
    name: z.string(),
    datatype: z.enum(DATATYPES),
    shape: z.array(z.number().int()).meta({ description: '-1 marks a dynamic dimension.' }),
    allow_non_finite: z.boolean().optional(),
    batch_axis: z.number().int().nullable().optional().meta({
      description: 'The axis that counts rows, where it is not axis 0; null: all rows share it.',
    }),
    mask_of: z.string().optional().meta({
      description:
        'May be left out: it is then 1 where this input is real, and 0 where it is padded.',
    }),
    field: z
      .object({
        kind: z.enum(FIELD_KINDS),
        description: z.string().optional(),
        max_bytes: z.number().int().optional(),
      })
      .optional()
      .meta({
        description:
          'What the elements are where the model has steps of its own: on `/v1` a string (text), an object (record), or a data URL or base64 (image, audio, bytes) for each row.',
      }),
  })
  .meta({ id: 'ModelTensor' });

const versionSchema = z
  .object({
    version: z.string(),
    state: z.enum(STATES).meta({
      description:
        '`offline`: no live worker serves it; `unloaded`: none does, as an administrator wishes.',
    }),
    reason: z.string().optional().meta({ description: 'Why it is not ready.' }),
    inputs: z.array(tensorSchema).nullable(),
    outputs: z.array(tensorSchema).nullable(),
    max_rows: z.number().int().nullable().meta({
      description: 'The most rows of one prediction; null if axis 0 does not count rows.',
    }),
    labels: z.array(z.string()).optional(),
    execution_providers: z.array(z.string()),
    instances: z.number().int(),
    threads: z.number().int().optional().meta({ description: 'Threads of each instance.' }),
    stats: wireVersionStatsSchema.optional(),
    profile_sources: z.array(profileSourceSchema).meta({
      description: 'What its live workers knew of run times when they began, by kind of device.',
    }),
    profiles: z
      .array(wireProfileSchema)
      .optional()
      .meta({ description: 'With `profile=true` only: the stored run times, newest first.' }),
  })
  .meta({ id: 'ModelVersion' });

/** A model as `/v1/models` shows it. */
export const modelSchema = z
  .object({
    name: z.string(),
    description: z.string().optional(),
    license: z.string().optional(),
    origin: z.string().optional(),
    state: z.enum(STATES).meta({ description: 'The best of its versions.' }),
    problems: z.array(z.string()).optional().meta({
      description: 'What is wrong with its folder or its model.yaml, with file and line.',
    }),
    versions: z.array(versionSchema).meta({ description: 'Newest first.' }),
    live_workers: z.number().int(),
    batching: z.object({
      mode: z.enum(['auto', 'fixed', 'off']),
      max_batch_size: z.number().int(),
      max_queue_delay_ms: z.number(),
    }),
    queue: z.object({
      waiting: z.number().int(),
      active: z.number().int(),
      oldest_waiting_ms: z.number().nullable(),
      max_size: z.number().int(),
      timeout_ms: z.number().int().nullable(),
      attempts: z.number().int(),
    }),
    stats: z.object({
      predictions_per_second: z.number(),
      rows_per_second: z.number(),
      batches: z.number().int(),
      rows: z.number().int(),
      failed: z.number().int(),
      mean_batch_rows: z.number(),
      mean_inference_ms: z.number(),
      mean_queue_ms: z.number(),
    }),
  })
  .meta({ id: 'Model' });
export type WireModel = z.infer<typeof modelSchema>;

export const modelListSchema = z
  .object({ results: z.array(modelSchema) })
  .meta({ id: 'ModelList' });

/**
 * A model as clients read it.
 * @param profiles of all its versions; absent to leave them out
 */
export function modelToWire(
  model: KnownModel,
  depth: QueueDepth,
  profiles?: readonly ProfileRecord[],
): WireModel {
  const { batching, queue } = model;
  return {
    name: model.name,
    ...(model.description !== undefined && { description: model.description }),
    ...(model.license !== undefined && { license: model.license }),
    ...(model.origin !== undefined && { origin: model.origin }),
    state: stateOf(model),
    ...(model.problems !== undefined && { problems: [...model.problems] }),
    versions: model.versions.map((version) => versionToWire(version, profiles)),
    live_workers: model.liveWorkers,
    batching: {
      mode: batching.mode,
      max_batch_size: batching.maxBatchSize,
      max_queue_delay_ms: batching.maxQueueDelayMs,
    },
    queue: {
      waiting: depth.waiting,
      active: depth.active,
      oldest_waiting_ms: depth.oldestWaitingMs,
      max_size: queue.maxSize,
      timeout_ms: queue.timeoutMs,
      attempts: queue.attempts,
    },
    stats: statsToWire(model.stats),
  };
}

/** Workers that run but cannot read its folder make a model unhealthy, not offline. */
function stateOf({ versions, problems, liveWorkers }: KnownModel): WireModel['state'] {
  const best = STATES.find((state) => versions.some((item) => item.state === state)) ?? 'offline';
  return best === 'offline' && problems !== undefined && liveWorkers > 0 ? 'unhealthy' : best;
}

function versionToWire(
  version: KnownVersion,
  profiles: readonly ProfileRecord[] | undefined,
): WireModel['versions'][number] {
  const { signature } = version;
  return {
    version: String(version.version),
    state: version.state,
    ...(version.reason !== undefined && { reason: version.reason }),
    inputs: signature?.inputs.map(tensorToWire) ?? null,
    outputs: signature?.outputs.map(tensorToWire) ?? null,
    max_rows: signature?.batchable === true ? signature.maxRows : null,
    ...(version.labels !== undefined && { labels: [...version.labels] }),
    execution_providers: [...version.executionProviders],
    instances: version.instances,
    ...(version.threads !== undefined && { threads: version.threads }),
    ...(version.stats !== undefined && { stats: versionStatsToWire(version.stats) }),
    profile_sources: version.profiles.map((profile) => ({ ...profile })),
    ...(profiles !== undefined && { profiles: profilesToWire(profiles, version.version) }),
  };
}

function tensorToWire({ name, datatype, shape, ...spec }: TensorSpec) {
  return {
    name,
    datatype,
    shape: [...shape],
    ...(spec.allowNonFinite === true && { allow_non_finite: true }),
    ...(spec.batchAxis !== undefined && { batch_axis: spec.batchAxis }),
    ...(spec.maskOf !== undefined && { mask_of: spec.maskOf }),
    ...(spec.field !== undefined && { field: fieldToWire(spec.field) }),
  };
}

function fieldToWire({ kind, description, maxBytes }: Field) {
  return {
    kind,
    ...(description !== undefined && { description }),
    ...(maxBytes !== undefined && { max_bytes: maxBytes }),
  };
}

function statsToWire(stats: ModelStats): WireModel['stats'] {
  return {
    predictions_per_second: stats.predictionsPerSecond,
    rows_per_second: stats.rowsPerSecond,
    batches: stats.batches,
    rows: stats.rows,
    failed: stats.failed,
    mean_batch_rows: stats.meanBatchRows,
    mean_inference_ms: stats.meanInferenceMs,
    mean_queue_ms: stats.meanQueueMs,
  };
}
