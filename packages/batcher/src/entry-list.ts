import type { QueuedEntry } from './queued-entry.ts';

/**
 * The queued entries of one lane and class, oldest first: a doubly linked list through the entries,
 * so that any of them leaves in O(1). Entries mostly come in order of arrival; one that comes late
 * (a retry) is moved up to its place.
 */
export class EntryList<P, R> {
  #first: QueuedEntry<P, R> | undefined;
  #last: QueuedEntry<P, R> | undefined;

  get first(): QueuedEntry<P, R> | undefined {
    return this.#first;
  }

  insert(queued: QueuedEntry<P, R>): void {
    const { arrivedAtMs } = queued.entry;
    let before = this.#last;
    while (before !== undefined && before.entry.arrivedAtMs > arrivedAtMs) before = before.previous;
    const after = before === undefined ? this.#first : before.next;
    queued.previous = before;
    queued.next = after;
    if (before === undefined) this.#first = queued;
    else before.next = queued;
    if (after === undefined) this.#last = queued;
    else after.previous = queued;
  }

  remove(queued: QueuedEntry<P, R>): void {
    const { previous, next } = queued;
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    queued.previous = undefined;
    queued.next = undefined;
  }
}
