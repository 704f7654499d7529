import type { Priority } from '@quern/contract';
import { expect, test } from 'vitest';
import { type PartSource, PartTurns } from '../src/part-turns.ts';

/** A prediction with some parts, which end when the test says so. */
class Source implements PartSource {
  readonly priority: Priority;
  readonly #log: Source[];
  #left: number;
  #end: (() => void)[] = [];

  constructor(log: Source[], parts: number, priority: Priority = 'normal') {
    this.#log = log;
    this.#left = parts;
    this.priority = priority;
  }

  get hasNext(): boolean {
    return this.#left > 0;
  }

  get underWay(): number {
    return this.#end.length;
  }

  runNext(): Promise<void> {
    this.#left -= 1;
    this.#log.push(this);
    return new Promise((resolve) => this.#end.push(resolve));
  }

  async endOne(): Promise<void> {
    this.#end.shift()?.();
    // Promises that hang on this one come first.
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test('no more parts are under way than there are places, and all run in the end', async () => {
  const log: Source[] = [];
  const turns = new PartTurns(() => 3);
  const sources = [new Source(log, 5), new Source(log, 2), new Source(log, 9)];
  for (const source of sources) turns.add(source);
  for (let running = 3; running > 0; ) {
    expect(running).toBeLessThanOrEqual(3);
    await sources.find(({ underWay }) => underWay > 0)?.endOne();
    running = sources.reduce((sum, { underWay }) => sum + underWay, 0);
  }
  expect(log).toHaveLength(16);
});

test('one that comes later is next, and predictions take turns from then on', async () => {
  const log: Source[] = [];
  const turns = new PartTurns(() => 1);
  const giant = new Source(log, 100);
  turns.add(giant);
  for (let i = 0; i < 10; i++) await giant.endOne();
  const small = new Source(log, 3);
  turns.add(small);
  const before = log.length;
  for (let i = 0; i < 6; i++) await (small.underWay > 0 ? small : giant).endOne();
  const names = log.slice(before).map((source) => (source === small ? 'small' : 'giant'));
  expect(names.filter((name) => name === 'small')).toHaveLength(3);
  expect(names.slice(0, 2)).toContain('small');
});

test('classes have their share, and the lowest comes on', async () => {
  const log: Source[] = [];
  const turns = new PartTurns(() => 1);
  const classes = ['high', 'normal', 'low'] as const;
  const sources = classes.map((priority) => new Source(log, 1000, priority));
  for (const source of sources) turns.add(source);
  while (log.length < 210) await log.at(-1)?.endOne();
  const shares = sources.map((source) => log.filter((each) => each === source).length);
  expect(shares[0]).toBeGreaterThan(150);
  expect(shares[1]).toBeGreaterThan(35);
  expect(shares[2]).toBeGreaterThan(8);
});

test('one that was removed gets no more turns', async () => {
  const log: Source[] = [];
  const turns = new PartTurns(() => 1);
  const [gone, stays] = [new Source(log, 10), new Source(log, 10)];
  turns.add(gone);
  turns.add(stays);
  turns.remove(gone);
  await gone.endOne();
  await stays.endOne();
  expect(log).toEqual([gone, stays, stays]);
});
