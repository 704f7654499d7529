import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { decodeTensors, encodeTensors, type Tensor, viewBytes } from '@quern/contract';
import { onTestFinished, vi } from 'vitest';
import {
  type Runner,
  type RunnerBatch,
  type RunnerBatchResult,
  type RunnerEntry,
  type RunnerLog,
  type RunnerModel,
  type RunnerOptions,
  startRunner,
} from '../../src/index.ts';

// A process from source starts in a second, on a busy machine in several.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

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
    maxRowsPerPrediction: 8,
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
  /** Ends it, whatever it is doing, and removes the folder. */
  dispose(): Promise<void>;
}

/** A runner in a process of its own; the caller disposes of it. */
export function launchShared(model: RunnerModel, options: Partial<RunnerOptions> = {}): TestRunner {
  const payloadsDir = mkdtempSync(join(tmpdir(), 'quern-runtime-'));
  const logs: RunnerLog[] = [];
  const runner = startRunner({
    entry: RUNNER_ENTRY,
    execArgv: SOURCE_ARGS,
    model,
    onLog: (log) => logs.push(log),
    ...options,
    env: { ...process.env, QUERN_TEST_PAYLOADS: payloadsDir, ...options.env },
  });
  const dispose = async () => {
    await runner.close({ graceMs: 0 });
    rmSync(payloadsDir, { recursive: true, force: true });
  };
  return { runner, logs, payloadsDir, dispose };
}

/** A runner that the test's end disposes of. */
export function launch(model: RunnerModel, options: Partial<RunnerOptions> = {}): TestRunner {
  const launched = launchShared(model, options);
  onTestFinished(launched.dispose);
  return launched;
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

/** Runs for as long as its process lives. */
export const ENDLESS = 2n ** 60n;

/** An entry for the `loop` model. */
export function looping(id: string, trips: bigint): RunnerEntry {
  return entry(id, 1, [
    fp32('x', [1, 16], new Array<number>(16).fill(0.5)),
    int64('trips', [1, 1], [trips]),
  ]);
}

/** The inputs of one row for the `add` model. */
export function pair(a: number, b: number): Tensor[] {
  return [fp32('a', [1, 3], [a, a, a]), fp32('b', [1, 3], [b, b, b])];
}

/** Starts a run and waits until the model is at it. */
export async function runStarted(
  runner: Pick<Runner, 'run'>,
  batch: RunnerBatch,
): Promise<{ result: Promise<RunnerBatchResult> }> {
  let onStarted = () => {};
  const started = new Promise<void>((resolve) => {
    onStarted = resolve;
  });
  const result = runner.run(batch, { onStarted });
  result.catch(() => {});
  await started;
  // In an object, or awaiting this function would await the run.
  return { result };
}
