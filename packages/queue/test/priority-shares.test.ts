import type { Priority } from '@quern/contract';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PRIORITY_WEIGHTS, PriorityShares } from '../src/priority-shares.ts';

const TOTAL = 21;
const CLASSES = ['high', 'normal', 'low'] as const;

interface Waiting {
  readonly priority: Priority;
  readonly number: number;
}

/** A queue with strict priorities and a band before them all, served by consumers that lift. */
class SimulatedQueue {
  readonly waiting: Record<Priority, Waiting[]> = { high: [], normal: [], low: [] };
  readonly started: Waiting[] = [];
  readonly #lifted: Waiting[] = [];
  readonly #consumers: { shares: PriorityShares; sinceLift: number }[];
  #number = 0;

  constructor(consumers: number) {
    this.#consumers = Array.from({ length: consumers }, () => ({
      shares: new PriorityShares(),
      sinceLift: 0,
    }));
  }

  add(priority: Priority): void {
    this.waiting[priority].push({ priority, number: this.#number++ });
  }

  /** A consumer starts one, and lifts what it owes once it has started so many since it last did. */
  start(consumer: number, liftEvery: number): void {
    const { high, normal, low } = this.waiting;
    const next = [this.#lifted, high, normal, low].find((list) => list.length > 0)?.shift();
    const own = this.#consumers[consumer % this.#consumers.length];
    if (next === undefined || own === undefined) return;
    this.started.push(next);
    own.shares.started();
    own.sinceLift += 1;
    if (!own.shares.isDue || own.sinceLift < liftEvery) return;
    own.sinceLift = 0;
    this.#lift(own.shares);
  }

  #lift(shares: PriorityShares): void {
    const { owed } = shares;
    shares.settle(owed);
    let ahead = this.waiting.high.length;
    for (const priority of ['normal', 'low'] as const) {
      const list = this.waiting[priority];
      const limit = ahead > 0 ? owed[priority] : Math.min(1, owed[priority]);
      ahead += list.length;
      this.#lifted.push(...list.splice(0, limit));
    }
    this.#lifted.sort((a, b) => a.number - b.number);
  }

  /** Of which class each start was. */
  counts(from = 0): Record<Priority, number> {
    const counts = { high: 0, normal: 0, low: 0 };
    for (const { priority } of this.started.slice(from)) counts[priority] += 1;
    return counts;
  }
}

const flood = fc.record({
  consumers: fc.integer({ min: 1, max: 8 }),
  liftEvery: fc.integer({ min: 1, max: 300 }),
  /** Which consumer makes each start, and what arrives before it besides. */
  steps: fc.array(
    fc.record({ consumer: fc.nat({ max: 7 }), arrives: fc.option(fc.constantFrom(...CLASSES)) }),
    { minLength: 1, maxLength: 200 },
  ),
});

describe('while more wait than start', () => {
  test('each class gets its share of every long stretch, whoever starts what', () => {
    fc.assert(
      fc.property(flood, ({ consumers, liftEvery, steps }) => {
        const queue = new SimulatedQueue(consumers);
        for (const priority of CLASSES) for (let i = 0; i < 5000; i++) queue.add(priority);
        for (let i = 0; i < 4000; i++) {
          const { consumer, arrives } = steps[i % steps.length] ?? { consumer: 0, arrives: null };
          if (arrives !== null) queue.add(arrives);
          queue.start(consumer, liftEvery);
        }
        // What each consumer has not yet lifted, and what is lifted and has not yet started.
        const slack = consumers * (liftEvery / 4 + 2);
        const length = 2000;
        for (const from of [0, 700, 2000]) {
          const window = queue.started.slice(from, from + length);
          for (const priority of CLASSES) {
            const starts = window.filter((started) => started.priority === priority).length;
            const share = (length * PRIORITY_WEIGHTS[priority]) / TOTAL;
            expect(starts).toBeGreaterThanOrEqual(share - 2 * slack);
          }
        }
      }),
      { numRuns: 30 },
    );
  });

  test('a low one waits for 21 starts for each low one before it, and no more than that', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 10 }),
        fc.integer({ min: 1, max: 21 }),
        (lowBefore, liftEvery) => {
          const queue = new SimulatedQueue(1);
          for (let i = 0; i <= lowBefore; i++) queue.add('low');
          for (let starts = 1; queue.counts().low <= lowBefore; starts++) {
            queue.add('high');
            queue.add('high');
            queue.start(0, liftEvery);
            expect(starts).toBeLessThanOrEqual(TOTAL * (lowBefore + 1) + liftEvery + 1);
          }
        },
      ),
    );
  });
});

test('whatever arrives and starts: each starts once, each class in order, and none is left behind', () => {
  const event = fc.record({
    arrives: fc.array(fc.constantFrom(...CLASSES), { maxLength: 3 }),
    consumer: fc.nat({ max: 3 }),
  });
  fc.assert(
    fc.property(
      fc.array(event, { maxLength: 300 }),
      fc.integer({ min: 1, max: 50 }),
      (events, liftEvery) => {
        const queue = new SimulatedQueue(4);
        let added = 0;
        for (const { arrives, consumer } of events) {
          for (const priority of arrives) queue.add(priority);
          added += arrives.length;
          queue.start(consumer, liftEvery);
        }
        while (queue.started.length < added) queue.start(queue.started.length, liftEvery);
        expect(new Set(queue.started).size).toBe(added);
        for (const priority of CLASSES) {
          const numbers = queue.started
            .filter((started) => started.priority === priority)
            .map(({ number }) => number);
          expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
        }
      },
    ),
  );
});
