import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Place, ReceiverGates } from '../src/receiver-gates.ts';
import { RetrySchedule } from '../src/retry-schedule.ts';

const ORIGIN = 'https://example.com';

/** Gates over a clock that only the test moves. */
class VirtualGates {
  nowMs = 1_000_000;
  readonly gates: ReceiverGates;

  constructor(concurrencyPerOrigin = 4) {
    this.gates = new ReceiverGates({ concurrencyPerOrigin, now: () => this.nowMs });
  }

  enter(origin = ORIGIN): Place {
    const entrance = this.gates.enter(origin);
    if (entrance.type === 'admitted') return entrance.place;
    throw new Error(`postponed by ${entrance.untilMs - this.nowMs} ms`);
  }

  /** One request that ends at once. */
  request(receiver: 'up' | 'down', pauseMs?: number): void {
    this.enter().leave({ receiver, timeMs: 1, pauseMs });
  }

  fail(times: number): void {
    for (let i = 0; i < times; i += 1) this.request('down');
  }

  /** For how long the next one is postponed; 0 if it is let in. */
  postponedMs(): number {
    const entrance = this.gates.enter(ORIGIN);
    if (entrance.type === 'postponed') return entrance.untilMs - this.nowMs;
    entrance.place.leave({ receiver: 'unknown', timeMs: 1 });
    return 0;
  }
}

describe('a receiver', () => {
  test('has a few places, and others have their own', () => {
    const virtual = new VirtualGates(2);
    const first = virtual.enter();
    virtual.enter();
    expect(() => virtual.enter()).toThrow('postponed');
    virtual.enter('https://other.example.com');
    first.leave({ receiver: 'up', timeMs: 5 });
    virtual.enter();
  });

  test('that fails five times in a row is left alone, for twice as long each time', () => {
    const virtual = new VirtualGates();
    virtual.fail(4);
    virtual.request('up');
    virtual.fail(5);
    const pauses: number[] = [];
    for (let i = 0; i < 9; i += 1) {
      expect(virtual.gates.down).toBe(1);
      const pauseMs = virtual.postponedMs();
      pauses.push(pauseMs / 1000);
      virtual.nowMs += pauseMs;
      virtual.request('down');
    }
    expect(pauses).toEqual([10, 20, 40, 80, 160, 320, 600, 600, 600]);
  });

  test('that was down is tried by one request, and is well again when that succeeds', () => {
    const virtual = new VirtualGates();
    virtual.fail(5);
    virtual.nowMs += 10_000;
    const probe = virtual.enter();
    expect(() => virtual.enter()).toThrow('postponed');
    probe.leave({ receiver: 'up', timeMs: 1 });
    expect(virtual.gates.down).toBe(0);
    for (let i = 0; i < 4; i += 1) virtual.enter();
  });

  test('that asks for patience gets it', () => {
    const virtual = new VirtualGates();
    virtual.request('down', 30_000);
    expect(virtual.postponedMs()).toBe(30_000);
  });

  test('gets what was postponed back at a distance, never two at a time', () => {
    const virtual = new VirtualGates();
    virtual.fail(5);
    const returns = Array.from({ length: 50 }, () => virtual.postponedMs());
    expect(returns[0]).toBe(10_000);
    const gaps = returns.slice(1).map((atMs, i) => atMs - (returns[i] ?? 0));
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(20);
  });
});

describe('an hour of 500 for 200 deliveries', () => {
  /** Replays what the process does, on a virtual clock: when each delivery is tried, and when it arrives. */
  function simulate(outageMs: number): { attempts: number; lastAtMs: number; arrived: number } {
    const virtual = new VirtualGates();
    const schedule = new RetrySchedule(['5s', '5m', '30m', '2h', '5h'], () => 0.5);
    const startMs = virtual.nowMs;
    const due = Array.from({ length: 200 }, (_, i) => ({ atMs: startMs + i, attempt: 1 }));
    let attempts = 0;
    let arrived = 0;
    while (due.length > 0) {
      due.sort((a, b) => b.atMs - a.atMs);
      const next = due.pop();
      if (next === undefined) break;
      virtual.nowMs = Math.max(virtual.nowMs, next.atMs);
      const entrance = virtual.gates.enter(ORIGIN);
      if (entrance.type === 'postponed') {
        due.push({ ...next, atMs: entrance.untilMs });
        continue;
      }
      attempts += 1;
      const isUp = virtual.nowMs - startMs >= outageMs;
      entrance.place.leave({ receiver: isUp ? 'up' : 'down', timeMs: 10 });
      if (isUp) arrived += 1;
      const pauseMs = schedule.pauseAfter(next.attempt);
      if (!isUp && pauseMs !== undefined) {
        due.push({ atMs: virtual.nowMs + pauseMs, attempt: next.attempt + 1 });
      }
    }
    return { attempts, arrived, lastAtMs: virtual.nowMs - startMs };
  }

  test('all arrive soon after, and the receiver was asked only now and then', () => {
    const { attempts, arrived, lastAtMs } = simulate(3_600_000);
    expect(arrived).toBe(200);
    // Each outage costs a probe at most every ten minutes once it is long, beside the first failures.
    expect(attempts).toBeLessThan(200 + 30);
    expect(lastAtMs).toBeLessThan(3_600_000 + 12 * 60_000);
  });
});

test('whatever happens, no receiver gets more requests at a time than it has places', () => {
  const step = fc.record({
    what: fc.constantFrom('enter', 'up', 'down', 'unknown', 'wait'),
    ms: fc.integer({ min: 0, max: 700_000 }),
  });
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 200 }),
      fc.integer({ min: 1, max: 5 }),
      (steps, limit) => {
        const virtual = new VirtualGates(limit);
        const places: Place[] = [];
        for (const { what, ms } of steps) {
          if (what === 'wait') virtual.nowMs += ms;
          else if (what === 'enter') {
            const entrance = virtual.gates.enter(ORIGIN);
            if (entrance.type === 'admitted') places.push(entrance.place);
            else expect(entrance.untilMs).toBeGreaterThan(virtual.nowMs);
          } else places.pop()?.leave({ receiver: what, timeMs: ms });
          expect(places.length).toBeLessThanOrEqual(limit);
        }
      },
    ),
  );
});
