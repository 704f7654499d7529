import { resolve } from 'node:path';
import type { ModelSignature } from '@quern/contract';
import { unmeasuredPlan } from '../plan/candidate-plans.ts';
import type { ConfigPositions } from '../repository/config-positions.ts';
import type { RepositoryModel } from '../repository/load-repository.ts';
import type { ExecutionProvider, ModelConfig } from '../repository/model-config.ts';
import type { InputConfig, OutputConfig } from '../repository/shape-config.ts';
import type { ModelVersion } from '../repository/versions.ts';
import type { PostprocessConfig, PreprocessConfig } from '../steps/step-registry.ts';

/** What a runner must know of the model version it loads; it crosses to the runner's process. */
export interface RunnerModel {
  readonly name: string;
  readonly version: number;
  readonly modelPath: string;
  /** Tried in this order. */
  readonly executionProviders: readonly ExecutionProvider[];
  /** Threads that a run computes with. */
  readonly threads: number;
  /** The CUDA device by its number; CUDA's own choice if it is absent. */
  readonly deviceId?: number;
  /** The most rows in one run. */
  readonly maxBatchSize: number;
  /** The most rows of one prediction; more than a run takes come in parts. */
  readonly maxRowsPerPrediction: number;
  readonly runTimeoutMs: number;
  readonly warmup: WarmupSettings;
  /** What model.yaml says about inputs, by name. */
  readonly inputs: Readonly<Record<string, InputConfig>>;
  /** What model.yaml says about outputs, by name. */
  readonly outputs?: Readonly<Record<string, OutputConfig>>;
  /** What runs before and after the session; missing if nothing does. */
  readonly steps?: StepSettings;
  /** Where it says so, for messages. */
  readonly configPositions?: ConfigPositions;
}

export interface StepSettings {
  readonly preprocess: readonly PreprocessConfig[];
  readonly postprocess: readonly PostprocessConfig[];
  /** Absolute; what steps name lies in it. */
  readonly modelFolder: string;
  /** The lines of `labels.txt`. */
  readonly labels?: readonly string[] | undefined;
}

export interface WarmupSettings {
  readonly enabled: boolean;
  /** Whole shapes by input name. */
  readonly shapes?: Readonly<Record<string, readonly number[]>> | undefined;
  /** What inputs are filled with instead of zeros, by name. */
  readonly values?: Readonly<Record<string, number | string | boolean>> | undefined;
  readonly budgetMs: number;
  /**
   * Batch sizes to run, by execution provider, where the run times are known already: nothing else is
   * measured then.
   */
  readonly knownSizes?: Partial<Record<ExecutionProvider, readonly number[]>> | undefined;
}

/** How long one run of a number of rows took in the warm-up. */
export interface ProfilePoint {
  readonly rows: number;
  readonly timeMs: number;
}

/** What is known of a model version once a runner has loaded it and warmed it up. */
export interface LoadedModel {
  readonly signature: ModelSignature;
  /** The provider in use. */
  readonly executionProvider: ExecutionProvider;
  /** Providers that were preferred and did not work, and why. */
  readonly fallbacks: readonly { readonly provider: ExecutionProvider; readonly reason: string }[];
  /** By rising rows; empty without a warm-up. */
  readonly warmupProfile: readonly ProfilePoint[];
  /** The lane that was measured, where other lengths are padded to other buckets. */
  readonly warmupLane?: string;
  /** True if the profile was measured at guessed dimensions, and real inputs may differ much. */
  readonly shapesGuessed: boolean;
  /** Whether the warm-up left an input that is known to be good; see `RunnerBatch.control`. */
  readonly canControl: boolean;
  /** For people: what to know or to improve about this model. */
  readonly warnings: readonly string[];
}

/** A prediction has rows for at most so many full batches, unless model.yaml says otherwise. */
const DEFAULT_MAX_PARTS = 32;

/** The most rows that a prediction may have if the model is batchable. */
export function maxRowsPerPrediction({ batching }: Pick<ModelConfig, 'batching'>): number {
  return batching.maxRowsPerPrediction ?? DEFAULT_MAX_PARTS * batching.maxBatchSize;
}

/** The runner's view of one version of a repository model; with one thread where that is `auto`. */
export function toRunnerModel(model: RepositoryModel, version: ModelVersion): RunnerModel {
  const { config } = model;
  return {
    name: model.name,
    version: version.version,
    modelPath: version.modelPath,
    executionProviders: config.executionProviders,
    threads: unmeasuredPlan(config.instances).threads,
    maxBatchSize: config.batching.maxBatchSize,
    maxRowsPerPrediction: maxRowsPerPrediction(config),
    runTimeoutMs: config.runTimeoutMs,
    warmup: config.warmup,
    inputs: config.inputs,
    outputs: config.outputs,
    ...(hasSteps(config) && { steps: stepSettings(model) }),
    ...(model.configPositions !== undefined && { configPositions: model.configPositions }),
  };
}

function hasSteps({ preprocess, postprocess }: ModelConfig): boolean {
  return preprocess.length + postprocess.length > 0;
}

function stepSettings({ dir, config, labels }: RepositoryModel): StepSettings {
  const { preprocess, postprocess } = config;
  return { preprocess, postprocess, labels, modelFolder: resolve(dir) };
}
