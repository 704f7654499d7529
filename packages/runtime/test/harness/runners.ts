import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { decodeTensors, encodeTensors, type Tensor, viewBytes } from '@quern/contract';
import { onTestFinished } from 'vitest';
import {
  type Runner,
  type RunnerBatchResult,
  type RunnerEntry,
  type RunnerLog,
  type RunnerModel,
  type RunnerOptions,
  startRunner,
} from '../../src/index.ts';

export const RUNNER_ENTRY = new URL('../fixtures/file-runner.ts', import.meta.url);

/** Node's arguments for a process that runs from source. */
export const SOURCE_ARGS = ['--conditions=@quern/source', '--import', 'tsx'];

export function fixturePath(name: string): string {
  return fileURLToPath(new URL(`../fixtures/models/${name}.onnx`, import.meta.url));
}

export function fixtureModel(name: string, overrides: Partial<RunnerModel> = {}): RunnerModel {
  return {
    name,
    version: 1,
    modelPath: fixturePath(name),
    executionProviders: ['cpu'],
    threads: 1,
    maxBatchSize: 8,
    runTimeoutMs: 30_000,
    warmup: { enabled: true, budgetMs: 50 },
    inputs: {},
    ...overrides,
  };
}

export interface TestRunner {
  readonly runner: Runner;
  readonly logs: RunnerLog[];
  /** The folder that its payload store is. */
  readonly payloadsDir: string;
}

/** A runner in a process of its own, which the test's end closes. */
export function launch(model: RunnerModel, options: Partial<RunnerOptions> = {}): TestRunner {
  const payloadsDir = temporaryDir();
  const logs: RunnerLog[] = [];
  const runner = startRunner({
    entry: RUNNER_ENTRY,
    execArgv: SOURCE_ARGS,
    model,
    onLog: (entry) => logs.push(entry),
    ...options,
    env: { ...process.env, QUERN_TEST_PAYLOADS: payloadsDir, ...options.env },
  });
  onTestFinished(() => runner.close({ graceMs: 0 }));
  return { runner, logs, payloadsDir };
}

export function temporaryDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'quern-runtime-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

export function fp32(name: string, shape: readonly number[], values: Iterable<number>): Tensor {
  return { name, datatype: 'FP32', shape, data: viewBytes(Float32Array.from(values)) };
}

export function int64(name: string, shape: readonly number[], values: Iterable<bigint>): Tensor {
  return { name, datatype: 'INT64', shape, data: viewBytes(BigInt64Array.from(values)) };
}

/** An entry with its input inline. */
export function entry(id: string, rows: number, tensors: readonly Tensor[]): RunnerEntry {
  return { id, rows, input: { inline: encodeTensors(tensors) }, resultKey: `result-${id}` };
}

/** The outputs of the entry at `index`, which must have come back inline. */
export function outputsOf(result: RunnerBatchResult, index = 0): Tensor[] {
  const outcome = result.outcomes[index];
  if (!outcome?.ok || !('inline' in outcome.result)) {
    throw new Error(`no inline result at ${index}: ${JSON.stringify(outcome)}`);
  }
  return decodeTensors(outcome.result.inline);
}

export function floats(tensor: Tensor | undefined): number[] {
  if (tensor === undefined) throw new Error('no such output');
  const copy = tensor.data.slice();
  return [...new Float32Array(copy.buffer)];
}
