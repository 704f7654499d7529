import type { PackedResult } from './message-packing.ts';
import { type MarkKind, WARM_UP_SEQUENCE } from './run-marks.ts';
import { RunnerFault } from './runner-fault.ts';

/**
 * The batches that a runner has been given and not answered, as its parent knows them. Each goes
 *
 *     sent --(mark: started)--> running --(mark: ended)--> ran --(message)--> settled
 *
 * and the clock of the run timeout ticks from `started` to `ended`, on the warm-up's runs as well. A
 * batch whose entries run apart is `running` several times. The steps before and after the session have
 * marks and clocks of their own, since those of one batch go on while another one runs.
 * When the process dies, a batch that is `running` or `ran` is to blame. If none is, the process died
 * while it prepared one, and the oldest is blamed: were none, the same batch could kill runner after
 * runner and never cost an attempt.
 */
export class PendingRuns {
  readonly #runs = new Map<number, PendingRun>();
  readonly #timeoutMs: number;
  readonly #onTimeout: (what: string) => void;
  /** By sequence, while steps of the batch go on. */
  readonly #stepTimers = new Map<number, NodeJS.Timeout>();
  #timer: NodeJS.Timeout | undefined;
  #timedSequence: number | undefined;
  #onEmpty: (() => void)[] = [];

  constructor(timeoutMs: number, onTimeout: (what: string) => void) {
    this.#timeoutMs = timeoutMs;
    this.#onTimeout = onTimeout;
  }

  get size(): number {
    return this.#runs.size;
  }

  add(sequence: number, batchId: string, events: RunEvents): Promise<PackedResult> {
    return new Promise((resolve, reject) => {
      this.#runs.set(sequence, { batchId, events, started: false, resolve, reject });
    });
  }

  mark(kind: MarkKind, sequence: number): void {
    const run = this.#runs.get(sequence);
    if (kind === 'steps-started' || kind === 'steps-ended') {
      this.#markSteps(kind, sequence, run);
      return;
    }
    if (kind === 'ended') {
      if (this.#timedSequence === sequence) this.#stopClock();
      return;
    }
    // The message of a result can overtake the marks of its run, which travel apart.
    if (run === undefined && sequence !== WARM_UP_SEQUENCE) return;
    this.#startClock(sequence, run === undefined ? 'a warm-up run' : `batch ${run.batchId}`);
    if (run === undefined) return;
    run.started = true;
    run.events.onStarted?.();
  }

  #markSteps(kind: MarkKind, sequence: number, run: PendingRun | undefined): void {
    clearTimeout(this.#stepTimers.get(sequence));
    this.#stepTimers.delete(sequence);
    if (kind === 'steps-ended' || run === undefined) return;
    // A step can end the process as well as the model can.
    run.started = true;
    const what = `the steps of batch ${run.batchId}`;
    this.#stepTimers.set(
      sequence,
      setTimeout(() => this.#onTimeout(what), this.#timeoutMs),
    );
  }

  resolve(sequence: number, result: PackedResult): void {
    this.#take(sequence)?.resolve(result);
    this.#announceIfEmpty();
  }

  reject(sequence: number, fault: RunnerFault): void {
    this.#take(sequence)?.reject(fault);
    this.#announceIfEmpty();
  }

  /** Rejects all that is left, once the process is dead or never was. */
  rejectAll(end: RunnersEnd): void {
    this.#stopClock();
    for (const timer of this.#stepTimers.values()) clearTimeout(timer);
    this.#stepTimers.clear();
    const runs = [...this.#runs.values()];
    const [oldest] = runs;
    if (oldest !== undefined && end.blameOldest && !runs.some((run) => run.started)) {
      oldest.started = true;
    }
    this.#runs.clear();
    for (const { started, reject } of runs) {
      const message = started ? end.message : `${end.message}; this batch had not started`;
      reject(new RunnerFault(end.code, message, started, { maybeMemory: end.maybeMemory }));
    }
    this.#announceIfEmpty();
  }

  /** Resolves when no run is left. */
  empty(): Promise<void> {
    if (this.#runs.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#onEmpty.push(resolve));
  }

  #take(sequence: number): PendingRun | undefined {
    const run = this.#runs.get(sequence);
    this.#runs.delete(sequence);
    if (this.#timedSequence === sequence) this.#stopClock();
    clearTimeout(this.#stepTimers.get(sequence));
    this.#stepTimers.delete(sequence);
    return run;
  }

  #announceIfEmpty(): void {
    if (this.#runs.size > 0) return;
    for (const resolve of this.#onEmpty.splice(0)) resolve();
  }

  #startClock(sequence: number, what: string): void {
    this.#stopClock();
    this.#timedSequence = sequence;
    this.#timer = setTimeout(() => this.#onTimeout(what), this.#timeoutMs);
  }

  #stopClock(): void {
    clearTimeout(this.#timer);
    this.#timedSequence = undefined;
  }
}

/** How a runner's process ended. */
export interface RunnersEnd {
  readonly code: RunnerFault['code'];
  readonly message: string;
  readonly blameOldest: boolean;
  /** See `RunnerFault.maybeMemory`. */
  readonly maybeMemory: boolean;
}

export interface RunEvents {
  /** Called when the model begins with the batch; not called if none of its entries gets that far. */
  readonly onStarted?: () => void;
}

interface PendingRun {
  readonly events: RunEvents;
  readonly batchId: string;
  started: boolean;
  resolve(result: PackedResult): void;
  reject(fault: RunnerFault): void;
}
