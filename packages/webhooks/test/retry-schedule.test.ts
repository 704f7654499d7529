import { describe, expect, test } from 'vitest';
import { RetrySchedule, readDuration, readRetryAfter } from '../src/retry-schedule.ts';

describe('the schedule', () => {
  const schedule = new RetrySchedule(['5s', '5m'], () => 0.5);

  test('pauses longer each time, with jitter, and ends', () => {
    expect([1, 2, 3].map((attempt) => schedule.pauseAfter(attempt))).toEqual([
      5500,
      330_000,
      undefined,
    ]);
    expect(schedule.lifetimeMs).toBe(24 * 3_600_000);
    expect(new RetrySchedule(['20h', '20h']).lifetimeMs).toBe(48 * 3_600_000);
  });

  test('never asks earlier than the receiver wishes, within a day', () => {
    expect(schedule.pauseAfter(1, 1000)).toBe(5500);
    expect(schedule.pauseAfter(1, 60_000)).toBe(60_000);
    expect(schedule.pauseAfter(1, 1e12)).toBe(24 * 3_600_000);
    expect(schedule.pauseAfter(3, 60_000)).toBeUndefined();
  });
});

test.each([
  ['250ms', 250],
  ['5s', 5000],
  ['5m', 300_000],
  ['24h', 86_400_000],
  ['5', undefined],
  ['-5s', undefined],
  ['5 s', undefined],
  ['1d', undefined],
])('the duration %s is %s ms', (text, durationMs) => {
  expect(readDuration(text)).toBe(durationMs);
});

test.each([
  ['120', 120_000],
  ['Thu, 01 Jan 1970 00:01:00 GMT', 59_000],
  ['Thu, 01 Jan 1970 00:00:00 GMT', 0],
  ['soon', undefined],
  [undefined, undefined],
])('Retry-After: %s is %s ms', (header, afterMs) => {
  expect(readRetryAfter(header, 1000)).toBe(afterMs);
});
