import { encodeBytesElements, type Tensor } from '@quern/contract';
import { parseModelConfig } from '../../src/repository/parse-model-config.ts';
import type { RunnerModel } from '../../src/runner/runner-model.ts';
import { fixtureModel, temporaryDir } from './runners.ts';

/** A fixture model with what a `model.yaml` says, positions included. */
export function steppedModel(
  fixture: string,
  yaml: string,
  overrides: Partial<RunnerModel> & { labels?: readonly string[]; modelFolder?: string } = {},
): RunnerModel {
  const { labels, modelFolder = temporaryDir(), ...rest } = overrides;
  const parsed = parseModelConfig(yaml, fixture, 'model.yaml');
  if ('problems' in parsed) throw new Error(JSON.stringify(parsed.problems));
  const { preprocess, postprocess, inputs, outputs, batching, runTimeoutMs } = parsed.config;
  return fixtureModel(fixture, {
    inputs,
    outputs,
    runTimeoutMs,
    maxBatchSize: batching.maxBatchSize,
    configPositions: parsed.positions,
    steps: { preprocess, postprocess, modelFolder, labels },
    ...rest,
  });
}

/** A field with an element for each row. */
export function field(name: string, elements: readonly (string | Uint8Array)[]): Tensor {
  return { name, datatype: 'BYTES', shape: [elements.length], data: encodeBytesElements(elements) };
}
