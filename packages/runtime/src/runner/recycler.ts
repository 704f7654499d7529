import {
  type RecyclePolicy,
  type RecycleReason,
  type RunnerVitals,
  recycleReason,
} from './recycle-policy.ts';

/** A place whose runner can be replaced while it serves; a `PoolSlot` is one. */
export interface RecyclableSlot {
  /** Undefined while no runner is ready. */
  readonly vitals: RunnerVitals | undefined;
  /** Resolves when a successor has taken over; rejects if it failed to load, and the old one serves on. */
  replace(): Promise<void>;
}

/** A runner was replaced, or should have been and is not yet. */
export interface RecycleEvent {
  readonly reason: RecycleReason;
  /** Of the old runner when it was found due. */
  readonly vitals: RunnerVitals;
  /** Why the successor did not load; undefined if it did, and took over. */
  readonly failure?: string;
}

interface RecyclerOptions {
  readonly slots: readonly RecyclableSlot[];
  readonly policy: RecyclePolicy;
  readonly onRecycle: (event: RecycleEvent) => void;
}

/** Node's timers reach no further. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
const MAX_PAUSE_MS = 30 * 60_000;

/**
 * Has the runners of a pool replaced when they are due, one at a time. It goes
 *
 *     watching --(one is due)--> replacing --> pausing --> watching ...
 *
 * until it is closed. It looks when it is told of news (`consider`), and when the next runner reaches its
 * age; nothing is polled.
 */
export class Recycler {
  readonly #options: RecyclerOptions;
  #state: 'watching' | 'replacing' | 'pausing' | 'closed' = 'watching';
  #timer: NodeJS.Timeout | undefined;
  #failuresInARow = 0;

  constructor(options: RecyclerOptions) {
    this.#options = options;
  }

  /** To be called when a runner became ready or its memory was measured. */
  consider(): void {
    if (this.#state !== 'watching') return;
    clearTimeout(this.#timer);
    const { slots, policy } = this.#options;
    // The oldest first, so that one that is due again and again does not keep the others.
    const due = slots
      .flatMap((slot) => {
        const { vitals } = slot;
        const reason = vitals && recycleReason(vitals, policy);
        return vitals === undefined || reason === undefined ? [] : [{ slot, vitals, reason }];
      })
      .sort((a, b) => b.vitals.ageMs - a.vitals.ageMs)[0];
    if (due === undefined) this.#waitForAge();
    else void this.#replace(due.slot, due.vitals, due.reason);
  }

  close(): void {
    this.#state = 'closed';
    clearTimeout(this.#timer);
  }

  async #replace(slot: RecyclableSlot, vitals: RunnerVitals, reason: RecycleReason): Promise<void> {
    this.#state = 'replacing';
    const startedAtMs = performance.now();
    let failure: string | undefined;
    try {
      await slot.replace();
    } catch (error) {
      failure = error instanceof Error ? error.message : String(error);
    }
    if (this.#isClosed()) return;
    this.#failuresInARow = failure === undefined ? 0 : this.#failuresInARow + 1;
    const tookMs = performance.now() - startedAtMs;
    const pauseMs = tookMs * this.#options.policy.pauseFactor * 2 ** this.#failuresInARow;
    this.#state = 'pausing';
    this.#timer = setTimeout(
      () => {
        this.#state = 'watching';
        this.consider();
      },
      Math.min(pauseMs, MAX_PAUSE_MS),
    );
    this.#options.onRecycle({ reason, vitals, ...(failure !== undefined && { failure }) });
  }

  #waitForAge(): void {
    const { slots, policy } = this.#options;
    if (policy.maxAgeMs === 'off') return;
    const ages = slots.flatMap(({ vitals }) => (vitals === undefined ? [] : [vitals.ageMs]));
    if (ages.length === 0) return;
    const dueInMs = policy.maxAgeMs - Math.max(...ages);
    this.#timer = setTimeout(() => this.consider(), Math.min(dueInMs + 1, LONGEST_TIMER_MS));
  }

  /** Asked after an await, when what was assigned before says nothing. */
  #isClosed(): boolean {
    return this.#state === 'closed';
  }
}
