import type { Batch, BatchResult, Clock, Entry } from '../src/index.ts';

/** Instances that run batches one after the other, each as long as `timeMs` says. */
export class SimulatedInstances<P> {
  readonly #clock: Clock;
  readonly #timeMs: (rows: number) => number;
  readonly #freeAtMs = new Map<number, number>();
  readonly batches: Batch<P>[] = [];
  /** When the run of each batch began, by batch id. */
  readonly startedAtMs = new Map<number, number>();
  readonly endedAtMs = new Map<number, number>();
  inFlight = 0;
  mostInFlight = 0;

  constructor(clock: Clock, timeMs: (rows: number) => number) {
    this.#clock = clock;
    this.#timeMs = timeMs;
  }

  readonly run = (batch: Batch<P>): Promise<BatchResult<P>> => {
    this.batches.push(batch);
    this.inFlight += 1;
    this.mostInFlight = Math.max(this.mostInFlight, this.inFlight);
    const startMs = Math.max(this.#clock.nowMs(), this.#freeAtMs.get(batch.instance) ?? 0);
    const endMs = startMs + this.#timeMs(batch.rows);
    this.#freeAtMs.set(batch.instance, endMs);
    this.startedAtMs.set(batch.id, startMs);
    this.endedAtMs.set(batch.id, endMs);
    return new Promise((resolve) => {
      this.#clock.setTimer(endMs, () => {
        this.inFlight -= 1;
        resolve({ outcomes: batch.entries.map(({ payload }) => ({ ok: true, value: payload })) });
      });
    });
  };
}

/** An entry of one row that came at `arrivedAtMs`. */
export function entryAt<P>(
  arrivedAtMs: number,
  payload: P,
  more: Partial<Omit<Entry<P>, 'payload' | 'arrivedAtMs'>> = {},
): Entry<P> {
  return { rows: 1, lane: 'a', priority: 1, arrivedAtMs, payload, ...more };
}

/** Why a promise was rejected: the drop reason, or the message; `value` if it was not. */
export async function fateOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'value';
  } catch (error) {
    if (error instanceof Error && 'reason' in error) return String(error.reason);
    return error instanceof Error ? error.message : String(error);
  }
}
