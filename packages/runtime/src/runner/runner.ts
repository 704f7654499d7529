import { type ErrorCode, QuernError } from '@quern/contract';
import { packBatch, unpackResult } from './message-packing.ts';
import { PendingRuns, type RunEvents } from './pending-runs.ts';
import type { RunnerVitals } from './recycle-policy.ts';
import type { RunnerBatch, RunnerBatchResult } from './runner-batch.ts';
import { RunnerFault } from './runner-fault.ts';
import type { FromRunner } from './runner-messages.ts';
import type { LoadedModel, RunnerModel } from './runner-model.ts';
import {
  describeExit,
  isLikeMemory,
  type RunnerEntryPoint,
  type RunnerExit,
  type RunnerLog,
  RunnerProcess,
} from './runner-process.ts';

export interface RunnerOptions extends RunnerEntryPoint {
  readonly model: RunnerModel;
  /** How long loading may take, without the runs of the warm-up being too long one by one. Default 10 minutes. */
  readonly loadTimeoutMs?: number;
  readonly onLog?: (entry: RunnerLog) => void;
  readonly onExit?: (exit: RunnerExit) => void;
  /** Told when the process has said how much memory it holds; see `vitals`. */
  readonly onMemory?: () => void;
}

/** Batches that one runner holds at a time: the one that runs and the one made ready behind it. */
export const PLACES_PER_RUNNER = 2;

const DEFAULT_LOAD_TIMEOUT_MS = 600_000;
const DEFAULT_GRACE_MS = 10_000;
/** What a runner with nothing to do may take to release its session and leave. */
const LEAVE_MS = 5000;

/** Forks a process that loads the model; see `Runner`. */
export function startRunner(options: RunnerOptions): Runner {
  return new Runner(options);
}

/**
 * The parent's side of one model instance in a process of its own. It goes
 *
 *     loading --> ready --> (retiring) --> ended
 *
 * and ends for good when loading fails, when a run takes longer than the model's `runTimeoutMs`, when
 * the process dies by itself, or on `close`. Whatever happens, every promise given out is settled.
 */
export class Runner {
  /** Rejects with `MODEL_UNAVAILABLE`, `CONFIG_INVALID` or `SHUTTING_DOWN` if the model does not load. */
  readonly ready: Promise<LoadedModel>;
  readonly exited: Promise<RunnerExit>;
  readonly #model: RunnerModel;
  readonly #process: RunnerProcess;
  readonly #pending: PendingRuns;
  readonly #onMemory: () => void;
  #resolveReady: (loaded: LoadedModel) => void = () => {};
  #rejectReady: (error: QuernError) => void = () => {};
  #loadTimer: NodeJS.Timeout | undefined;
  #sequence = 0;
  #ended = false;
  /** Why this side ended the process; undefined if it was not this side. */
  #endedFor: { code: ErrorCode; message: string } | undefined;
  #isRetiring = false;
  #closing: Promise<void> | undefined;
  #readyAtMs = 0;
  #rss: { readonly initialBytes: number; readonly bytes: number } | undefined;

  constructor(options: RunnerOptions) {
    this.#model = options.model;
    this.#onMemory = options.onMemory ?? (() => {});
    this.ready = new Promise((resolve, reject) => {
      this.#resolveReady = resolve;
      this.#rejectReady = reject;
    });
    // Whoever is interested awaits `ready`; for the others a failed load is no unhandled rejection.
    this.ready.catch(() => {});
    this.#pending = new PendingRuns(options.model.runTimeoutMs, (what) => this.#timeOut(what));
    this.#process = new RunnerProcess(options, {
      message: (message) => this.#receive(message),
      mark: (kind, sequence) => this.#pending.mark(kind, sequence),
      log: options.onLog ?? (() => {}),
    });
    this.exited = this.#process.exited.then((exit) => {
      this.#settleAll(exit);
      options.onExit?.(exit);
      return exit;
    });
    const loadTimeoutMs = options.loadTimeoutMs ?? DEFAULT_LOAD_TIMEOUT_MS;
    this.#loadTimer = setTimeout(() => {
      this.#end('MODEL_UNAVAILABLE', `loading took longer than ${loadTimeoutMs} ms and was ended`);
    }, loadTimeoutMs);
    this.#process.send({ kind: 'load', model: options.model });
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** Age and memory; undefined until it is ready. */
  get vitals(): RunnerVitals | undefined {
    if (this.#rss === undefined) return undefined;
    return {
      ageMs: performance.now() - this.#readyAtMs,
      initialRssBytes: this.#rss.initialBytes,
      rssBytes: this.#rss.bytes,
    };
  }

  /** Batches that it would take now: 0 while it loads and once it is ending, 2 when it is idle. */
  get freePlaces(): number {
    if (!this.#takesBatches()) return 0;
    return Math.max(0, PLACES_PER_RUNNER - this.#pending.size);
  }

  /**
   * Runs a batch, once `ready`. Resolves with one outcome per entry.
   * @throws RunnerFault if the batch has no outcomes: `INFERENCE_FAILED` or `OUT_OF_MEMORY` if the model
   *   refused it, `RUN_TIMEOUT` or `RUNNER_CRASHED` if the process had to end or ended, `SHUTTING_DOWN`
   *   if it takes none. `started` tells whether the model saw it.
   */
  run(batch: RunnerBatch, events: RunEvents = {}): Promise<RunnerBatchResult> {
    if (!this.#takesBatches()) {
      const message = `the runner of ${this.#name()} takes no more batches`;
      return Promise.reject(new RunnerFault('SHUTTING_DOWN', message, false));
    }
    this.#sequence += 1;
    const result = this.#pending.add(this.#sequence, batch.batchId, events);
    this.#process.send({ kind: 'run', sequence: this.#sequence, batch: packBatch(batch) });
    return result.then((packed) => unpackResult(packed, batch.entries));
  }

  /**
   * Takes no more batches, waits for those that are here, however long they take, and ends the process.
   * `close` may still cut it short.
   */
  async retire(): Promise<void> {
    this.#isRetiring = true;
    await this.#pending.empty();
    await this.close();
  }

  /**
   * Takes no more batches, waits for those that are here and ends the process; after the grace it is
   * killed and what still runs rejects with `SHUTTING_DOWN`.
   */
  close(options: { graceMs?: number } = {}): Promise<void> {
    this.#closing ??= this.#close(options.graceMs ?? DEFAULT_GRACE_MS);
    return this.#closing;
  }

  async #close(graceMs: number): Promise<void> {
    if (this.#loadTimer !== undefined) {
      this.#end('SHUTTING_DOWN', 'the runner was closed while the model was loading');
    } else if (await endsWithin(this.#pending.empty(), graceMs)) {
      this.#process.send({ kind: 'close' });
      if (!(await endsWithin(this.exited, LEAVE_MS))) this.#process.kill();
    } else {
      this.#end('SHUTTING_DOWN', `the run had not ended ${graceMs} ms after the runner was closed`);
    }
    await this.exited;
  }

  #receive(message: FromRunner): void {
    switch (message.kind) {
      case 'loaded':
        this.#stopLoadTimer();
        this.#readyAtMs = performance.now();
        this.#rss = { initialBytes: message.rssBytes, bytes: message.rssBytes };
        this.#resolveReady(message.loaded);
        return;
      case 'load-failed':
        this.#end(message.error.code, message.error.message);
        return;
      case 'memory':
        if (this.#rss !== undefined) this.#rss = { ...this.#rss, bytes: message.rssBytes };
        this.#onMemory();
        return;
      case 'ran':
        this.#pending.resolve(message.sequence, message.result);
        return;
      case 'run-failed': {
        const { error, started } = message;
        const fault = new RunnerFault(error.code, error.message, started, error);
        this.#pending.reject(message.sequence, fault);
      }
    }
  }

  #timeOut(what: string): void {
    const limit = `${this.#model.runTimeoutMs} ms`;
    this.#end(
      'RUN_TIMEOUT',
      `${what}${this.#whose()} ran longer than ${limit} (runTimeoutMs in model.yaml) and was ended`,
    );
  }

  #end(code: ErrorCode, message: string): void {
    this.#endedFor ??= { code, message };
    this.#process.kill();
  }

  #settleAll(exit: RunnerExit): void {
    this.#ended = true;
    const crash = `the process${this.#whose()} ended (${describeExit(exit)})`;
    this.#stopLoadTimer();
    const end = this.#endedFor ?? { code: 'RUNNER_CRASHED' as const, message: crash };
    const blameOldest = this.#endedFor === undefined;
    this.#pending.rejectAll({
      ...end,
      blameOldest,
      maybeMemory: blameOldest && isLikeMemory(exit),
    });
    // RUN_TIMEOUT and RUNNER_CRASHED are about runs; a model that does so while loading is unavailable.
    const isAboutLoading = end.code === 'CONFIG_INVALID' || end.code === 'SHUTTING_DOWN';
    const code = isAboutLoading ? end.code : 'MODEL_UNAVAILABLE';
    this.#rejectReady(new QuernError(code, end.message));
  }

  #stopLoadTimer(): void {
    clearTimeout(this.#loadTimer);
    this.#loadTimer = undefined;
  }

  #takesBatches(): boolean {
    const isReady = this.#loadTimer === undefined && !this.#ended && !this.#isRetiring;
    return isReady && this.#endedFor === undefined && this.#closing === undefined;
  }

  /** Names the model; not while it loads, as who reports that it cannot be loaded says which one. */
  #whose(): string {
    const isLoading = this.#loadTimer !== undefined;
    return isLoading ? '' : ` of ${this.#name()}`;
  }

  #name(): string {
    return `${this.#model.name}:${this.#model.version}`;
  }
}

/** Whether a promise settles in time. */
async function endsWithin(promise: Promise<unknown>, limitMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), limitMs);
  });
  try {
    return await Promise.race([promise.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
