import { expect, test } from 'vitest';
import { cancelAfterMs } from '../src/cancel-after-header.ts';

test.each([
  ['90', 90_000],
  ['90s', 90_000],
  ['1m', 60_000],
  ['1h30m', 5_400_000],
  ['1h1m1s', 3_661_000],
  [' 5s ', 5000],
  [undefined, undefined],
])('Cancel-After: %s is %s ms', (header, timeMs) => {
  expect(cancelAfterMs(header)).toBe(timeMs);
});

test.each(['', '0', '0s', 'm', '1.5m', '-1m', '1m1h', '5 s', 'soon', '1d', '99999999999s', '169h'])(
  'Cancel-After: %s is refused',
  (header) => {
    expect(() => cancelAfterMs(header)).toThrow(/Cancel-After: got .*expected a duration/);
  },
);
