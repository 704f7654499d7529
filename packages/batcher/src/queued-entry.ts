import type { Entry, PriorityClass } from './entry.ts';
import type { HeapItem } from './indexed-heap.ts';

/**
 * How much later (or, if negative, earlier) an entry of each class counts as arrived. Order and
 * urgency follow this effective arrival, so waiting always wins in the end: an entry is overtaken
 * only by entries that arrive less than the difference between the classes after it. A low one lets
 * pass the high ones of the 4 s that follow it, and nobody later.
 */
export const PRIORITY_HANDICAP_MS: Readonly<Record<PriorityClass, number>> = {
  0: -2_000,
  1: 0,
  2: 2_000,
};

/**
 * An entry counts as arrived at the latest so long before its deadline, and a lane that is about to
 * miss one likewise. Like every other head start it has a bound, so that entries without deadlines
 * do not starve: they let pass the deadlines of the 10 s that follow them.
 */
export const DEADLINE_HEAD_START_MS = 10_000;

export function effectiveArrivalMs(entry: Entry<unknown>): number {
  return entry.arrivedAtMs + PRIORITY_HANDICAP_MS[entry.priority];
}

/** An entry while it is the batcher's, with the promise that its submitter holds. */
export class QueuedEntry<P, R> implements HeapItem {
  readonly entry: Entry<P>;
  readonly effectiveArrivalMs: number;
  /** When it counts as arrived by its deadline; Infinity without one. */
  readonly urgencyMs: number;
  readonly resolve: (value: R) => void;
  readonly reject: (error: unknown) => void;
  /** Place among the deadlines of its lane. */
  heapIndex = -1;
  /** Neighbours of the same class in its lane. */
  previous: QueuedEntry<P, R> | undefined;
  next: QueuedEntry<P, R> | undefined;
  readonly #onAbort: (queued: QueuedEntry<P, R>) => void;

  constructor(
    entry: Entry<P>,
    resolve: (value: R) => void,
    reject: (error: unknown) => void,
    onAbort: (queued: QueuedEntry<P, R>) => void,
  ) {
    this.entry = entry;
    this.effectiveArrivalMs = effectiveArrivalMs(entry);
    this.urgencyMs =
      this.deadlineAtMs - DEADLINE_HEAD_START_MS + PRIORITY_HANDICAP_MS[entry.priority];
    this.resolve = resolve;
    this.reject = reject;
    this.#onAbort = onAbort;
  }

  get rows(): number {
    return this.entry.rows;
  }

  get deadlineAtMs(): number {
    return this.entry.deadlineAtMs ?? Number.POSITIVE_INFINITY;
  }

  /** The entry itself listens: an event listener object spares a closure for each entry. */
  listenForAbort(): void {
    this.entry.signal?.addEventListener('abort', this);
  }

  stopListening(): void {
    this.entry.signal?.removeEventListener('abort', this);
  }

  handleEvent(): void {
    this.#onAbort(this);
  }
}
