import { batchingSettingsSchema, queueSettingsSchema } from '@quern/contract';
import { z } from 'zod';
import { postprocessSchema, preprocessSchema } from '../steps/step-registry.ts';
import { instancesSchema } from './instances-config.ts';
import { inputConfigSchema, outputConfigSchema } from './shape-config.ts';

/** The execution providers that a model may name, in its order of preference. */
export const EXECUTION_PROVIDERS = ['cuda', 'webgpu', 'cpu'] as const;
export type ExecutionProvider = (typeof EXECUTION_PROVIDERS)[number];

const batching = batchingSettingsSchema.shape;
const queue = queueSettingsSchema.shape;
const retention = queue.retention.shape;

const DAY_SECONDS = 86_400;
/** No longer than failed predictions can be read by default. */
const MAX_QUARANTINE_SECONDS = 7 * DAY_SECONDS;
const positiveInteger = z.number().int().positive();

const versionsSchema = z.union(
  [
    z.literal('all'),
    z.strictObject({ latest: positiveInteger }),
    z.strictObject({ specific: z.array(positiveInteger).nonempty() }),
  ],
  { error: 'expected all, {latest: 2} or {specific: [1, 3]} with positive integers' },
);

/**
 * `model.yaml`: every key is optional and has a default, an unknown key is an error.
 * What the ONNX file says itself (inputs, outputs, datatypes, shapes) is not repeated here.
 */
export const modelConfigSchema = z.strictObject({
  description: z.string().optional(),
  license: z.string().optional(),
  origin: z.string().optional(),
  /** Which version folders are served; the newest one unless told otherwise. */
  versions: versionsSchema.default({ latest: 1 }),
  batching: z
    .strictObject({
      mode: batching.mode.default('auto'),
      maxBatchSize: batching.maxBatchSize.default(32),
      maxQueueDelayMs: batching.maxQueueDelayMs.default(0),
      /** A prediction of more rows than a batch runs in parts; null for 32 batches of rows. */
      maxRowsPerPrediction: positiveInteger.nullable().default(null),
      /** The most that a batch may cost: rows x elements of a row; null: until memory has run out. */
      maxBatchElements: positiveInteger.nullable().default(null),
    })
    .prefault({}),
  queue: z
    .strictObject({
      maxSize: queue.maxSize.default(10_000),
      timeoutMs: queue.timeoutMs.default(null),
      attempts: queue.attempts.default(3),
      /** How long an input is refused that has twice ended the model's process; 0 refuses none. */
      quarantineSeconds: z.number().int().nonnegative().max(MAX_QUARANTINE_SECONDS).default(600),
      retention: z
        .strictObject({
          succeeded: retainSchema(retention.succeeded.shape, DAY_SECONDS),
          failed: retainSchema(retention.failed.shape, 7 * DAY_SECONDS),
        })
        .prefault({}),
    })
    .prefault({}),
  instances: instancesSchema,
  /** Tried in this order; the first that loads the model is used. */
  executionProviders: z.array(z.enum(EXECUTION_PROVIDERS)).nonempty().default(['cpu']),
  /** A run that takes longer is ended, with the process it runs in. */
  runTimeoutMs: positiveInteger.default(30_000),
  warmup: z
    .strictObject({
      enabled: z.boolean().default(true),
      /** Whole shapes by input name; needed where a dynamic dimension other than the rows takes few values. */
      shapes: z.record(z.string(), z.array(z.number().int().nonnegative())).optional(),
      /** What inputs are filled with, by name, where zeros will not do (a sample rate, say). */
      values: z.record(z.string(), z.union([z.number(), z.string(), z.boolean()])).optional(),
      /** How long the measuring of batch sizes may take. */
      budgetMs: positiveInteger.default(2000),
    })
    .prefault({}),
  /** By input name. */
  inputs: z.record(z.string(), inputConfigSchema).default({}),
  /** By output name. */
  outputs: z.record(z.string(), outputConfigSchema).default({}),
  /** What makes session inputs of what callers send, in this order. */
  preprocess: preprocessSchema,
  /** What makes other outputs of the session's, one step after the other. */
  postprocess: postprocessSchema,
});

/** A model's configuration with the defaults filled in. */
export type ModelConfig = z.infer<typeof modelConfigSchema>;

function retainSchema(shape: typeof retention.succeeded.shape, ageSeconds: number) {
  return z
    .strictObject({
      ageSeconds: shape.ageSeconds.default(ageSeconds),
      count: shape.count.default(10_000),
    })
    .prefault({});
}
