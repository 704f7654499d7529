import type { Entry } from './entry.ts';
import { EntryList } from './entry-list.ts';
import { IndexedHeap } from './indexed-heap.ts';
import type { QueuedEntry } from './queued-entry.ts';

/** How many entries that do not fit are passed over while a batch is filled up. */
const LOOKAHEAD_ENTRIES = 32;

/**
 * The queued entries that may share a batch, in order of effective arrival. An entry that runs alone is
 * in one of its own.
 */
export class Lane<P, R> {
  readonly name: string;
  readonly alone: boolean;
  #rows = 0;
  #entries = 0;
  #elementsPerRow = 1;
  readonly #high = new EntryList<P, R>();
  readonly #normal = new EntryList<P, R>();
  readonly #low = new EntryList<P, R>();
  readonly #deadlines = new IndexedHeap<QueuedEntry<P, R>>(
    (a, b) => a.deadlineAtMs < b.deadlineAtMs,
  );

  constructor(name: string, alone: boolean) {
    this.name = name;
    this.alone = alone;
  }

  get rows(): number {
    return this.#rows;
  }

  get entries(): number {
    return this.#entries;
  }

  /** Of the widest entry that was in it. */
  get elementsPerRow(): number {
    return this.#elementsPerRow;
  }

  /** When the entry came that has waited longest, whatever its class; Infinity when empty. */
  get oldestArrivedAtMs(): number {
    return Math.min(
      this.#high.first?.entry.arrivedAtMs ?? Number.POSITIVE_INFINITY,
      this.#normal.first?.entry.arrivedAtMs ?? Number.POSITIVE_INFINITY,
      this.#low.first?.entry.arrivedAtMs ?? Number.POSITIVE_INFINITY,
    );
  }

  /** The effective arrival of the entry that is next to run; Infinity when empty. */
  get effectiveArrivalMs(): number {
    return this.#head()?.effectiveArrivalMs ?? Number.POSITIVE_INFINITY;
  }

  /** The earliest deadline of all its entries; Infinity when none has one. */
  get earliestDeadlineAtMs(): number {
    return this.#deadlines.peek()?.deadlineAtMs ?? Number.POSITIVE_INFINITY;
  }

  add(queued: QueuedEntry<P, R>): void {
    this.#list(queued.entry).insert(queued);
    if (queued.entry.deadlineAtMs !== undefined) this.#deadlines.push(queued);
    this.#rows += queued.entry.rows;
    this.#entries += 1;
    this.#elementsPerRow = Math.max(this.#elementsPerRow, queued.entry.elementsPerRow ?? 1);
  }

  /** Takes out an entry that is in the lane. */
  remove(queued: QueuedEntry<P, R>): void {
    this.#list(queued.entry).remove(queued);
    this.#deadlines.remove(queued);
    this.#rows -= queued.entry.rows;
    this.#entries -= 1;
  }

  /** Looks for an entry among those of its class; O(n). */
  find(entry: Entry<P>): QueuedEntry<P, R> | undefined {
    let queued = this.#list(entry).first;
    while (queued !== undefined && queued.entry !== entry) queued = queued.next;
    return queued;
  }

  /** Takes out every entry whose deadline has come. */
  takeExpired(nowMs: number): QueuedEntry<P, R>[] {
    const expired: QueuedEntry<P, R>[] = [];
    for (;;) {
      const queued = this.#deadlines.peek();
      if (queued === undefined || queued.deadlineAtMs > nowMs) return expired;
      this.remove(queued);
      expired.push(queued);
    }
  }

  /**
   * Takes out the entries of a batch: the head in any case, then in order those that fit. One that
   * does not fit is passed over and heads the next batch, so it cannot be passed over for ever.
   */
  take(maxRows: number, maxEntries: number): QueuedEntry<P, R>[] {
    const taken: QueuedEntry<P, R>[] = [];
    let roomRows = maxRows;
    let passedOver = 0;
    let high = this.#high.first;
    let normal = this.#normal.first;
    let low = this.#low.first;
    while (taken.length < maxEntries && (roomRows > 0 || taken.length === 0)) {
      const queued = earlier(earlier(high, normal), low);
      if (queued === undefined) break;
      if (queued === high) high = queued.next;
      else if (queued === normal) normal = queued.next;
      else low = queued.next;
      if (queued.entry.rows <= roomRows || taken.length === 0) {
        this.remove(queued);
        taken.push(queued);
        roomRows -= queued.entry.rows;
      } else if (++passedOver > LOOKAHEAD_ENTRIES) {
        break;
      }
    }
    return taken;
  }

  #head(): QueuedEntry<P, R> | undefined {
    return earlier(earlier(this.#high.first, this.#normal.first), this.#low.first);
  }

  #list({ priority }: Entry<P>): EntryList<P, R> {
    if (priority === 0) return this.#high;
    return priority === 1 ? this.#normal : this.#low;
  }
}

/** The one that effectively arrived earlier; of two at the same time the first, of higher class. */
function earlier<P, R>(
  first: QueuedEntry<P, R> | undefined,
  second: QueuedEntry<P, R> | undefined,
): QueuedEntry<P, R> | undefined {
  if (first === undefined || second === undefined) return first ?? second;
  return second.effectiveArrivalMs < first.effectiveArrivalMs ? second : first;
}
