import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EntryQueue } from '../src/entry-queue.ts';
import { type Entry, PRIORITY_HANDICAP_MS } from '../src/index.ts';
import { QueuedEntry } from '../src/queued-entry.ts';

type Queued = QueuedEntry<number, number>;

const entry = fc.record({
  rows: fc.integer({ min: 1, max: 4 }),
  lane: fc.constantFrom('a', 'b'),
  priority: fc.constantFrom<0 | 1 | 2>(0, 1, 2),
  arrivedAtMs: fc.integer({ min: 0, max: 6_000 }),
  deadlineAtMs: fc.option(fc.integer({ min: 0, max: 9_000 }), { nil: undefined }),
});

type Step =
  | { readonly do: 'add'; readonly entry: Omit<Entry<number>, 'payload'> }
  | { readonly do: 'take'; readonly entries: number }
  | { readonly do: 'remove'; readonly index: number }
  | { readonly do: 'expire'; readonly nowMs: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: entry.map((added) => ({ do: 'add', entry: added }) as const) },
  fc.integer({ min: 1, max: 4 }).map((entries) => ({ do: 'take', entries }) as const),
  fc.nat({ max: 20 }).map((index) => ({ do: 'remove', index }) as const),
  fc.integer({ min: 0, max: 9_000 }).map((nowMs) => ({ do: 'expire', nowMs }) as const),
);

/** The order of a lane: effective arrival, then class, then arrival of equals as they came. */
function inOrder(a: Queued, b: Queued): number {
  const effective = ({ entry: { arrivedAtMs, priority } }: Queued): number =>
    arrivedAtMs + PRIORITY_HANDICAP_MS[priority];
  return (
    effective(a) - effective(b) ||
    a.entry.priority - b.entry.priority ||
    a.entry.payload - b.entry.payload
  );
}

/** Does to the queue what a step says; returns what it took out and what it should have. */
function perform(queue: EntryQueue<number, number>, held: Queued[], next: Step, id: number) {
  const nothing = { taken: [] as readonly Queued[], expected: [] as readonly Queued[] };
  switch (next.do) {
    case 'add': {
      const ignore = (): void => {};
      const queued = new QueuedEntry<number, number>(
        { ...next.entry, payload: id },
        ignore,
        ignore,
        ignore,
      );
      queue.add(queued);
      held.push(queued);
      return nothing;
    }
    case 'take': {
      const [lane] = queue.lanes;
      if (lane === undefined) return nothing;
      const ofLane = held.filter((queued) => queued.entry.lane === lane.name).toSorted(inOrder);
      return {
        taken: queue.take(lane, 1_000, next.entries),
        expected: ofLane.slice(0, next.entries),
      };
    }
    case 'remove': {
      const queued = held[next.index];
      if (queued === undefined) return nothing;
      expect(queue.find(queued.entry)).toBe(queued);
      queue.remove(queued);
      return { taken: [queued], expected: [queued] };
    }
    case 'expire': {
      const due = held.filter(({ deadlineAtMs }) => deadlineAtMs <= next.nowMs);
      return { taken: queue.takeExpired(next.nowMs), expected: due };
    }
  }
}

test('whatever is added and taken out, it holds the rest, in order', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const queue = new EntryQueue<number, number>();
      let held: Queued[] = [];
      steps.forEach((next, id) => {
        const { taken, expected } = perform(queue, held, next, id);
        if (next.do === 'take') expect(taken).toEqual(expected);
        expect(new Set(taken)).toEqual(new Set(expected));
        held = held.filter((queued) => !taken.includes(queued));
        expect(queue.entries).toBe(held.length);
        expect(queue.rows).toBe(held.reduce((sum, queued) => sum + queued.entry.rows, 0));
        const arrivals = held.map((queued) => queued.entry.arrivedAtMs);
        expect(queue.oldestArrivedAtMs()).toBe(held.length > 0 ? Math.min(...arrivals) : undefined);
        for (const lane of queue.lanes) expect(lane.entries).toBeGreaterThan(0);
        const deadlines = held.map(({ deadlineAtMs }) => deadlineAtMs);
        expect(queue.expiryDueAtMs).toBeLessThanOrEqual(Math.min(...deadlines));
      });
      expect(queue.takeAll()).toHaveLength(held.length);
      expect([...queue.lanes]).toEqual([]);
    }),
  );
});
