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
  /** Of each class the entries that have a deadline, the earliest on top. */
  readonly #dated = [deadlineHeap<P, R>(), deadlineHeap<P, R>(), deadlineHeap<P, R>()] as const;

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
    const [high, normal, low] = this.#dated;
    return Math.min(topDeadline(high), topDeadline(normal), topDeadline(low));
  }

  add(queued: QueuedEntry<P, R>): void {
    this.#list(queued.entry).insert(queued);
    if (queued.entry.deadlineAtMs !== undefined) this.#dated[queued.entry.priority].push(queued);
    this.#rows += queued.entry.rows;
    this.#entries += 1;
    this.#elementsPerRow = Math.max(this.#elementsPerRow, queued.entry.elementsPerRow ?? 1);
  }

  /** Takes out an entry that is in the lane. */
  remove(queued: QueuedEntry<P, R>): void {
    this.#list(queued.entry).remove(queued);
    this.#dated[queued.entry.priority].remove(queued);
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
    for (const heap of this.#dated) {
      for (;;) {
        const queued = heap.peek();
        if (queued === undefined || queued.deadlineAtMs > nowMs) break;
        this.remove(queued);
        expired.push(queued);
      }
    }
    return expired;
  }

  /**
   * Those that are next, most urgent first, until they have so many rows; nothing is taken out. An
   * entry with a deadline counts as arrived `DEADLINE_HEAD_START_MS` before it, if that is earlier.
   */
  next(rows: number): QueuedEntry<P, R>[] {
    const found = new Set<QueuedEntry<P, R>>();
    const popped: QueuedEntry<P, R>[] = [];
    let foundRows = 0;
    const cursors = [this.#high.first, this.#normal.first, this.#low.first];
    while (foundRows < rows) {
      const listed = firstOf(cursors, (queued) => queued.effectiveArrivalMs);
      const dated = firstOf(
        this.#dated.map((heap) => heap.peek()),
        (queued) => queued.urgencyMs,
      );
      if (listed === undefined) break;
      if (dated !== undefined && dated.urgencyMs < listed.effectiveArrivalMs) {
        this.#dated[dated.entry.priority].remove(dated);
        popped.push(dated);
        if (!found.has(dated)) foundRows += dated.entry.rows;
        found.add(dated);
      } else {
        cursors[listed.entry.priority] = listed.next;
        if (!found.has(listed)) foundRows += listed.entry.rows;
        found.add(listed);
      }
    }
    for (const queued of popped) this.#dated[queued.entry.priority].push(queued);
    return [...found];
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

function deadlineHeap<P, R>(): IndexedHeap<QueuedEntry<P, R>> {
  return new IndexedHeap((a, b) => a.deadlineAtMs < b.deadlineAtMs);
}

function topDeadline<P, R>(heap: IndexedHeap<QueuedEntry<P, R>>): number {
  return heap.peek()?.deadlineAtMs ?? Number.POSITIVE_INFINITY;
}

/** The one with the least value; of equal ones the first. */
function firstOf<P, R>(
  queued: readonly (QueuedEntry<P, R> | undefined)[],
  keyOf: (queued: QueuedEntry<P, R>) => number,
): QueuedEntry<P, R> | undefined {
  let first: QueuedEntry<P, R> | undefined;
  for (const item of queued) {
    if (item !== undefined && (first === undefined || keyOf(item) < keyOf(first))) first = item;
  }
  return first;
}

/** The one that effectively arrived earlier; of two at the same time the first, of higher class. */
function earlier<P, R>(
  first: QueuedEntry<P, R> | undefined,
  second: QueuedEntry<P, R> | undefined,
): QueuedEntry<P, R> | undefined {
  if (first === undefined || second === undefined) return first ?? second;
  return second.effectiveArrivalMs < first.effectiveArrivalMs ? second : first;
}
