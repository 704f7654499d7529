import { type ModelSignature, QuernError, toQuernError } from '@quern/contract';
import { batchError } from '../session/ort-message.ts';
import type { PlainError } from '../session/session-messages.ts';
import { ModelSteps } from '../steps/model-steps.ts';
import { assembleParts, assemblyOf } from './assemble-parts.ts';
import { finishBatch } from './finish-batch.ts';
import { MemoryReport } from './memory-report.ts';
import { packResult, unpackBatch } from './message-packing.ts';
import { PartInputs } from './part-inputs.ts';
import type { PayloadStore } from './payload-store.ts';
import { prepareBatch } from './prepare-batch.ts';
import { MARKS_FD, type MarkKind, writeMark } from './run-marks.ts';
import type { RunnerBatch, RunnerBatchResult } from './runner-batch.ts';
import type { FromRunner, ToRunner } from './runner-messages.ts';
import type { LoadedModel, RunnerModel } from './runner-model.ts';
import { SessionClient, type SessionRan } from './session-client.ts';
import { runSteppedBatch } from './stepped-batch.ts';

/**
 * The runner's process: what a module that `startRunner` forks calls, once, at its start.
 *
 * The main thread does the input and output: it reads the payloads of the next batch, checks and
 * stacks them while the session thread runs the batch before, and takes results apart and stores them
 * while the next one runs. It ends when the parent says so, and at once when the parent is gone.
 * SIGINT, SIGTERM and SIGHUP are left to the parent: a terminal sends them to the whole process group.
 */
export function serveRunner(options: { payloads: PayloadStore }): void {
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => {});
  process.on('SIGHUP', () => {});
  process.on('disconnect', endAtOnce);
  process.on('uncaughtException', (error) => die(error.stack ?? String(error)));
  if (!process.connected) endAtOnce();
  const server = new RunnerServer(options.payloads);
  // The parent is startRunner, which sends nothing else.
  process.on('message', (message) => server.receive(message as ToRunner));
}

class RunnerServer {
  readonly #payloads: PayloadStore;
  readonly #memory = new MemoryReport((rssBytes) => send({ kind: 'memory', rssBytes }));
  readonly #partInputs = new PartInputs();
  #session: SessionClient | undefined;
  #signature: ModelSignature | undefined;
  #steps: ModelSteps | undefined;

  constructor(payloads: PayloadStore) {
    this.#payloads = payloads;
  }

  receive(message: ToRunner): void {
    if (message.kind === 'load') void this.#load(message.model);
    else if (message.kind === 'run') void this.#run(message.sequence, unpackBatch(message.batch));
    else void this.#close();
  }

  async #load(model: RunnerModel): Promise<void> {
    try {
      this.#session = new SessionClient({ model, marksFd: MARKS_FD }, die);
      const loaded = await this.#loadSteps(model, await this.#session.loaded);
      this.#signature = loaded.signature;
      send({ kind: 'loaded', loaded, rssBytes: process.memoryUsage.rss() });
    } catch (error) {
      send({ kind: 'load-failed', error: plain(error) });
    }
  }

  /** What callers see of the model: what its session takes and gives, or the steps around it. */
  async #loadSteps(model: RunnerModel, loaded: LoadedModel): Promise<LoadedModel> {
    this.#steps = await ModelSteps.load(model, loaded.signature);
    if (this.#steps === undefined) return loaded;
    const { signature, hasFields } = this.#steps;
    if (!hasFields) return { ...loaded, signature };
    // The lanes that the worker sees say nothing of lengths.
    const { warmupLane: _, ...rest } = loaded;
    return { ...rest, signature };
  }

  async #run(sequence: number, batch: RunnerBatch): Promise<void> {
    const progress = { started: false };
    try {
      const result = await this.#runBatch(sequence, batch, progress);
      send({ kind: 'ran', sequence, result: packResult(result, batch.entries) });
    } catch (error) {
      const fault = batchError(error);
      // Only what will pass may be tried again for nothing; a bug would come back for ever.
      const started = progress.started || fault.code !== 'REDIS_UNAVAILABLE';
      send({ kind: 'run-failed', sequence, error: plain(fault), started });
    }
    this.#memory.afterRun();
  }

  async #runBatch(
    sequence: number,
    batch: RunnerBatch,
    progress: { started: boolean },
  ): Promise<RunnerBatchResult> {
    const session = this.#session;
    const signature = this.#signature;
    if (session === undefined || signature === undefined) {
      throw new QuernError('MODEL_UNAVAILABLE', 'a batch came before the model was loaded');
    }
    const assembly = assemblyOf(batch);
    if (assembly !== undefined) return assembleParts(batch, assembly, signature, this.#payloads);
    if (batch.control === true) {
      progress.started = true;
      const { inferenceMs } = await session.control(sequence, batch.controlRows ?? 1);
      return { outcomes: [], collateMs: 0, inferenceMs, splitMs: 0, storeMs: 0, paddingRatio: 0 };
    }
    const steps = this.#steps;
    if (steps !== undefined) {
      const mark = (kind: MarkKind): void => {
        progress.started = true;
        writeMark(MARKS_FD, kind, sequence);
      };
      const [payloads, partInputs] = [this.#payloads, this.#partInputs];
      return runSteppedBatch(sequence, batch, { steps, session, payloads, partInputs, mark });
    }
    const startedAtMs = performance.now();
    const prepared = await prepareBatch(batch, signature, this.#payloads, this.#partInputs);
    const collateMs = performance.now() - startedAtMs;
    let ran: SessionRan = { outputs: [], inferenceMs: 0 };
    if (prepared.running.length > 0) {
      progress.started = true;
      const { inputs, outputs } = prepared;
      ran = await session.run({ sequence, inputs, outputs });
    }
    const finished = await finishBatch(batch, prepared, ran.outputs, signature, this.#payloads);
    const { paddingRatio } = prepared;
    return { ...finished, collateMs, inferenceMs: ran.inferenceMs, paddingRatio };
  }

  async #close(): Promise<void> {
    try {
      await this.#session?.release();
      await this.#payloads.close();
    } finally {
      process.exit(0);
    }
  }
}

function send(message: FromRunner): void {
  // A parent that is gone shows as `disconnect`; an error of this one message has nowhere to go.
  process.send?.(message, undefined, undefined, () => {});
}

function plain(error: unknown): PlainError {
  const { code, message, retryable } = toQuernError(error);
  return { code, message, retryable };
}

function die(reason: string): void {
  process.stderr.write(`${reason}\n`, endAtOnce);
}

/** process.exit() would wait for the session thread, which a native run may block for good. */
function endAtOnce(): void {
  process.kill(process.pid, 'SIGKILL');
}
