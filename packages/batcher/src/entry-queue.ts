import type { Entry } from './entry.ts';
import { Lane } from './lane.ts';
import type { QueuedEntry } from './queued-entry.ts';

type LaneKey<P> = string | Entry<P>;

/** All queued entries of a batcher, by lane. A lane exists as long as it has entries. */
export class EntryQueue<P, R> {
  #entries = 0;
  #rows = 0;
  /** No queued entry has an earlier deadline; the earliest may be later than this. */
  #noDeadlineBeforeMs = Number.POSITIVE_INFINITY;
  /** By name; that of an entry that runs alone by the entry itself. */
  readonly #lanes = new Map<LaneKey<P>, Lane<P, R>>();

  get entries(): number {
    return this.#entries;
  }

  get rows(): number {
    return this.#rows;
  }

  /** Those that have entries. */
  get lanes(): Iterable<Lane<P, R>> {
    return this.#lanes.values();
  }

  /** When to look for expired entries next; Infinity: never. It may come out that there are none. */
  get expiryDueAtMs(): number {
    return this.#entries > 0 ? this.#noDeadlineBeforeMs : Number.POSITIVE_INFINITY;
  }

  /** When the entry came that has waited longest; undefined when empty. */
  oldestArrivedAtMs(): number | undefined {
    let oldestMs: number | undefined;
    for (const { oldestArrivedAtMs } of this.#lanes.values()) {
      if (oldestMs === undefined || oldestArrivedAtMs < oldestMs) oldestMs = oldestArrivedAtMs;
    }
    return oldestMs;
  }

  add(queued: QueuedEntry<P, R>): void {
    const { lane: name, rows, alone = false } = queued.entry;
    const key = laneKey(queued.entry);
    let lane = this.#lanes.get(key);
    if (lane === undefined) {
      lane = new Lane<P, R>(name, alone);
      this.#lanes.set(key, lane);
    }
    lane.add(queued);
    this.#entries += 1;
    this.#rows += rows;
    if (queued.deadlineAtMs < this.#noDeadlineBeforeMs) {
      this.#noDeadlineBeforeMs = queued.deadlineAtMs;
    }
  }

  find(entry: Entry<P>): QueuedEntry<P, R> | undefined {
    return this.#lanes.get(laneKey(entry))?.find(entry);
  }

  /** Takes out an entry that is queued. */
  remove(queued: QueuedEntry<P, R>): void {
    const lane = this.#lanes.get(laneKey(queued.entry));
    if (lane === undefined) return;
    lane.remove(queued);
    this.#removed(lane, [queued]);
  }

  /** Takes out the entries of a batch; see `Lane.take`. */
  take(lane: Lane<P, R>, maxRows: number, maxEntries: number): readonly QueuedEntry<P, R>[] {
    return this.#removed(lane, lane.take(maxRows, maxEntries));
  }

  /** Takes out these entries of a lane. */
  takeThese(lane: Lane<P, R>, entries: readonly QueuedEntry<P, R>[]): readonly QueuedEntry<P, R>[] {
    for (const queued of entries) lane.remove(queued);
    return this.#removed(lane, entries);
  }

  /** Takes out every entry whose deadline has come. */
  takeExpired(nowMs: number): readonly QueuedEntry<P, R>[] {
    if (nowMs < this.#noDeadlineBeforeMs) return [];
    const expired: QueuedEntry<P, R>[] = [];
    this.#noDeadlineBeforeMs = Number.POSITIVE_INFINITY;
    for (const lane of this.#lanes.values()) {
      expired.push(...this.#removed(lane, lane.takeExpired(nowMs)));
      this.#noDeadlineBeforeMs = Math.min(this.#noDeadlineBeforeMs, lane.earliestDeadlineAtMs);
    }
    return expired;
  }

  /** Takes out every entry. */
  takeAll(): readonly QueuedEntry<P, R>[] {
    const all: QueuedEntry<P, R>[] = [];
    for (const lane of this.#lanes.values()) {
      all.push(...this.#removed(lane, lane.take(Number.POSITIVE_INFINITY, lane.entries)));
    }
    return all;
  }

  #removed(lane: Lane<P, R>, taken: readonly QueuedEntry<P, R>[]): readonly QueuedEntry<P, R>[] {
    this.#entries -= taken.length;
    for (const { entry } of taken) this.#rows -= entry.rows;
    const [first] = taken;
    if (lane.entries === 0 && first !== undefined) this.#lanes.delete(laneKey(first.entry));
    return taken;
  }
}

function laneKey<P>(entry: Entry<P>): LaneKey<P> {
  return entry.alone === true ? entry : entry.lane;
}
