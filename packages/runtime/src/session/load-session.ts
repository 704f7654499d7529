import { laneOf, type ModelSignature, QuernError, type TensorSpec } from '@quern/contract';
import { InferenceSession } from 'onnxruntime-node';
import type { ExecutionProvider } from '../repository/model-config.ts';
import { WARM_UP_SEQUENCE } from '../runner/run-marks.ts';
import type { LoadedModel, RunnerModel } from '../runner/runner-model.ts';
import { cleanOrtMessage } from './ort-message.ts';
import { fromOrtTensor, type RawTensor, toOrtTensor, toTensor } from './ort-tensors.ts';
import { readGraph } from './read-signature.ts';
import { resolvePadding } from './resolve-padding.ts';
import { type RunTensors, warmUp } from './warm-up.ts';

/** Tells the outside that a run begins or has ended, before the thread is blocked and after. */
export interface RunMarks {
  started(sequence: number): void;
  ended(sequence: number): void;
}

/** A loaded and warm model. */
export interface LoadedSession {
  readonly loaded: LoadedModel;
  /**
   * Runs once and returns the outputs asked for. Blocks the thread.
   * @throws Error with ONNX Runtime's own message
   */
  run(
    inputs: readonly RawTensor[],
    outputs: readonly string[],
    sequence: number,
  ): Promise<RawTensor[]>;
  /**
   * Runs rows of the warm-up's input again, of which one is known to be good; nothing if there was none.
   * @throws Error as `run`
   */
  control(sequence: number, rows: number): Promise<void>;
  release(): Promise<void>;
}

/**
 * Loads a model with the first of its execution providers that can load and warm it up. Where none of
 * those listed can, `cpu` is tried, with a warning.
 * @throws QuernError `MODEL_UNAVAILABLE` or `CONFIG_INVALID` with the reason
 */
export async function loadSession(model: RunnerModel, marks: RunMarks): Promise<LoadedSession> {
  const listed = model.executionProviders;
  const providers = listed.includes('cpu') ? listed : [...listed, 'cpu' as const];
  const fallbacks: { provider: ExecutionProvider; reason: string }[] = [];
  for (const provider of providers) {
    try {
      return await loadWith(provider, model, marks, fallbacks);
    } catch (error) {
      if (error instanceof QuernError && error.code === 'CONFIG_INVALID') throw error;
      fallbacks.push({ provider, reason: cleanOrtMessage(error, model.modelPath) });
    }
  }
  const reasons = fallbacks.map(({ provider, reason }) => `${provider}: ${reason}`);
  // Who reports it says that the model cannot be loaded, and which one.
  throw new QuernError('MODEL_UNAVAILABLE', reasons.join('; '));
}

async function loadWith(
  provider: ExecutionProvider,
  model: RunnerModel,
  marks: RunMarks,
  fallbacks: LoadedModel['fallbacks'],
): Promise<LoadedSession> {
  const session = await InferenceSession.create(model.modelPath, sessionOptions(provider, model));
  try {
    const run = runner(session, marks);
    const graph = readGraph(session, model);
    const outputNames = graph.outputs.map(({ spec }) => spec.name);
    const warmUpRun: RunTensors = (inputs) => run(inputs, outputNames, WARM_UP_SEQUENCE);
    const { padding, maskOf, warnings } = resolvePadding(graph, model);
    const knownSizes = model.warmup.knownSizes?.[provider];
    const warm = await warmUp(graph, model, warmUpRun, { padding, knownSizes });
    const signature: ModelSignature = {
      inputs: graph.inputs.map(({ spec }) => withMask(spec, maskOf)),
      outputs: [...warm.outputs],
      batchable: warm.batchable,
      ...(padding !== undefined && { padding }),
      maxRows: warm.batchable ? model.maxRowsPerPrediction : 1,
    };
    const loaded: LoadedModel = {
      signature,
      executionProvider: provider,
      fallbacks: [...fallbacks],
      warmupProfile: warm.profile,
      shapesGuessed: warm.shapesGuessed,
      ...(padding !== undefined &&
        warm.knownGood !== undefined && {
          warmupLane: laneOf(warm.knownGood(1).map(toTensor), signature),
        }),
      canControl: warm.knownGood !== undefined,
      warnings: [
        ...fallbackWarnings(provider, fallbacks),
        ...graph.warnings,
        ...warnings,
        ...warm.warnings,
      ],
    };
    const control = async (sequence: number, rows: number): Promise<void> => {
      if (warm.knownGood !== undefined) await run(warm.knownGood(rows), outputNames, sequence);
    };
    return { loaded, run, control, release: () => session.release() };
  } catch (error) {
    await session.release();
    throw error;
  }
}

function withMask(spec: TensorSpec, maskOf: ReadonlyMap<string, string>): TensorSpec {
  const masked = maskOf.get(spec.name);
  return masked === undefined ? spec : { ...spec, maskOf: masked };
}

function sessionOptions(
  provider: ExecutionProvider,
  model: RunnerModel,
): InferenceSession.SessionOptions {
  return {
    executionProviders: [providerOption(provider, model)],
    intraOpNumThreads: model.threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    // What goes wrong in a run comes back as its error; on standard error it would only come twice.
    logSeverityLevel: 4,
    // Idle threads that spin take the cores from the other runners and from the worker.
    extra: { 'session.intra_op.allow_spinning': '0' },
  };
}

/** WebGPU has no such option: it takes the adapter that the driver puts first. */
export function providerOption(
  provider: ExecutionProvider,
  { deviceId }: Pick<RunnerModel, 'deviceId'>,
): InferenceSession.ExecutionProviderConfig {
  if (provider !== 'cuda' || deviceId === undefined) return provider;
  return { name: 'cuda', deviceId };
}

function runner(session: InferenceSession, marks: RunMarks): LoadedSession['run'] {
  return async (inputs, outputs, sequence) => {
    const feeds = Object.fromEntries(inputs.map((input) => [input.name, toOrtTensor(input)]));
    marks.started(sequence);
    try {
      const answer = await session.run(feeds, outputs);
      return outputs.map((name) => {
        const tensor = answer[name];
        if (tensor === undefined) throw new Error(`the run gave no output ${name}`);
        return fromOrtTensor(name, tensor);
      });
    } finally {
      marks.ended(sequence);
    }
  };
}

function fallbackWarnings(
  provider: ExecutionProvider,
  fallbacks: LoadedModel['fallbacks'],
): string[] {
  return fallbacks.map(
    (failed) => `${failed.provider} does not work here, ${provider} is used: ${failed.reason}`,
  );
}
