import { unmeasuredPlan } from '../plan/candidate-plans.ts';
import { modelConfigSchema } from '../repository/model-config.ts';
import { startRunner } from '../runner/runner.ts';
import {
  type LoadedModel,
  maxRowsPerPrediction,
  type RunnerModel,
} from '../runner/runner-model.ts';
import type { RunnerEntryPoint, RunnerLog } from '../runner/runner-process.ts';

export interface InspectOptions extends Pick<RunnerEntryPoint, 'execArgv' | 'env'> {
  /** What differs from the defaults of model.yaml. */
  readonly model?: Partial<RunnerModel>;
  readonly onLog?: (entry: RunnerLog) => void;
}

/**
 * Loads and warms up an ONNX file in a process of its own, where a file that crashes ONNX Runtime does
 * no harm, and says what it found.
 * @throws QuernError `MODEL_UNAVAILABLE` or `CONFIG_INVALID` with the reason it cannot be served
 */
export async function inspectModel(
  modelPath: string,
  { model = {}, ...options }: InspectOptions = {},
): Promise<LoadedModel> {
  const config = modelConfigSchema.parse({});
  const runner = startRunner({
    ...options,
    entry: inspectEntry(),
    model: {
      name: 'inspected',
      version: 1,
      modelPath,
      executionProviders: config.executionProviders,
      threads: unmeasuredPlan(config.instances).threads,
      maxBatchSize: config.batching.maxBatchSize,
      maxRowsPerPrediction: maxRowsPerPrediction(config),
      runTimeoutMs: config.runTimeoutMs,
      warmup: config.warmup,
      inputs: config.inputs,
      ...model,
    },
  });
  try {
    return await runner.ready;
  } finally {
    await runner.close({ graceMs: 0 });
  }
}

function inspectEntry(): URL {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return new URL(`./inspect-runner.${extension}`, import.meta.url);
}
