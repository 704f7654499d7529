import { expect, test } from 'vitest';
import { preferredWaitSeconds } from '../src/prefer-header.ts';

test.each([
  ['wait', 60],
  ['wait=5', 5],
  ['Wait = "7"', 7],
  ['respond-async, wait=10', 10],
  ['wait=10; foo=bar', 10],
  ['return=minimal;wait=3', 3],
  ['wait=0', 0],
  ['wait=600', 60],
  ['await', undefined],
  ['wait-for=3', undefined],
  ['wait=soon', undefined],
  ['wait=-1', undefined],
  ['wait=1.5', undefined],
  ['', undefined],
  [undefined, undefined],
])('Prefer: %s asks for a wait of %s seconds', (header, seconds) => {
  expect(preferredWaitSeconds(header)).toBe(seconds);
});
