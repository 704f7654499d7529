import type { Batch } from './entry.ts';
import type { QueuedEntry } from './queued-entry.ts';
import type { InstanceView } from './situation.ts';

/** A batch from being formed to its result. */
export interface InFlightBatch<P, R> {
  readonly batch: Batch<P>;
  readonly queued: readonly QueuedEntry<P, R>[];
  readonly slot: InstanceSlot<P, R>;
  /** The expected run time; undefined if nothing is known. */
  readonly expectedRunMs: number | undefined;
}

/**
 * What one instance is at: `idle` -> (a batch is handed over) `running` -> (a second one is prefetched)
 * `full`. When the run ends, the prefetched batch is the run, from that moment on. So the time of a
 * run is what the instance was busy for: waiting in the prefetch place does not count, and what
 * collating and handing over cost beyond what ran meanwhile does.
 */
export class InstanceSlot<P, R> implements InstanceView {
  readonly instance: number;
  #running: InFlightBatch<P, R> | undefined;
  #prefetched: InFlightBatch<P, R> | undefined;
  #runStartedAtMs = 0;

  constructor(instance: number) {
    this.instance = instance;
  }

  get state(): 'idle' | 'running' | 'full' {
    if (this.#running === undefined) return 'idle';
    return this.#prefetched === undefined ? 'running' : 'full';
  }

  get expectedRunMs(): number | undefined {
    return this.#running?.expectedRunMs;
  }

  get expectedEndMs(): number | undefined {
    const runMs = this.expectedRunMs;
    return runMs === undefined ? undefined : this.#runStartedAtMs + runMs;
  }

  /** Takes a batch into the place that is free. */
  accept(inFlight: InFlightBatch<P, R>, nowMs: number): void {
    if (this.#running === undefined) this.#start(inFlight, nowMs);
    else this.#prefetched = inFlight;
  }

  /**
   * Frees the place of a batch that has ended. Returns its run time; undefined if it was not its turn,
   * because the run handler chose another instance or order than was proposed.
   */
  release(inFlight: InFlightBatch<P, R>, nowMs: number): number | undefined {
    if (this.#prefetched === inFlight) {
      this.#prefetched = undefined;
      return undefined;
    }
    const runMs = nowMs - this.#runStartedAtMs;
    const next = this.#prefetched;
    this.#running = undefined;
    this.#prefetched = undefined;
    if (next !== undefined) this.#start(next, nowMs);
    return runMs;
  }

  #start(inFlight: InFlightBatch<P, R>, nowMs: number): void {
    this.#running = inFlight;
    this.#runStartedAtMs = nowMs;
  }
}
