import { describe, expect, test } from 'vitest';
import { createRealClock, VirtualClock } from '../src/index.ts';

describe('the real clock', () => {
  test('tells the time of day in fractions', () => {
    const clock = createRealClock();
    const beforeMs = Date.now();
    const nowMs = clock.nowMs();
    // The two clocks may be a little apart.
    expect(nowMs).toBeGreaterThanOrEqual(beforeMs - 25);
    expect(nowMs).toBeLessThanOrEqual(Date.now() + 25);
  });

  test('does not call before the time', async () => {
    const clock = createRealClock();
    const atMs = clock.nowMs() + 5.5;
    const calledAtMs = await new Promise<number>((resolve) => {
      clock.setTimer(atMs, () => resolve(clock.nowMs()));
    });
    // Node counts whole milliseconds from the start of the loop's turn.
    expect(calledAtMs).toBeGreaterThan(atMs - 1);
  });

  test('a timer called off does not call, one in the past does, and soon comes first', async () => {
    const clock = createRealClock();
    const calls: string[] = [];
    clock.setTimer(clock.nowMs(), () => calls.push('off'))();
    await new Promise<void>((resolve) => {
      clock.setTimer(clock.nowMs() + 30, resolve);
      clock.setTimer(clock.nowMs() - 1_000, () => calls.push('past'));
    });
    await new Promise<void>((resolve) => clock.soon(resolve));
    expect(calls).toEqual(['past']);
  });
});

describe('the virtual clock', () => {
  test('runs what falls due in order, each with its continuations', async () => {
    const clock = new VirtualClock(100);
    const log: string[] = [];
    clock.setTimer(103, () => log.push(`late ${clock.nowMs()}`));
    clock.setTimer(101, () => {
      log.push(`first ${clock.nowMs()}`);
      clock.soon(() => log.push('soon'));
      void Promise.resolve().then(() => log.push('continuation'));
    });
    clock.setTimer(101, () => log.push(`second ${clock.nowMs()}`));
    clock.setTimer(102, () => log.push('never'))();
    void clock.sleep(2.5).then(() => log.push(`slept ${clock.nowMs()}`));
    await clock.advanceTo(102.5);
    expect(log).toEqual(['first 101', 'continuation', 'soon', 'second 101', 'slept 102.5']);
    await clock.runUntilIdle();
    expect(log.at(-1)).toBe('late 103');
    expect(clock.pendingTimers).toBe(0);
  });

  test('settling does not move the time', async () => {
    const clock = new VirtualClock();
    let calls = 0;
    clock.setTimer(1, () => {
      calls += 1;
    });
    await clock.settle();
    expect([calls, clock.nowMs()]).toEqual([0, 0]);
  });
});
