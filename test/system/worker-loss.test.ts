import { EXAMPLE_MODELS, eventually, TestRedis, TestStack } from '@quern/testkit';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { submitMany, tallyOutcomes } from './load.ts';
import { readSamples } from './samples.ts';

/** Guarantee 1: an accepted prediction reaches exactly one terminal status, whatever is killed. */
const COUNT = 2000;

let redis: TestRedis;
let stack: TestStack;

beforeEach(async () => {
  redis = await TestRedis.start();
  stack = await TestStack.start({
    redisUrl: redis.url,
    models: EXAMPLE_MODELS,
    workers: 3,
    // Lost workers are noticed soon, so that the test is.
    env: { QUERN_LOCK_DURATION_MS: '3000', QUERN_STALLED_INTERVAL_MS: '1000' },
  });
});

afterEach(async () => {
  await stack?.stop();
  await redis?.stop();
});

it('completes 2,000 predictions while one worker after another is killed with -9', async () => {
  const samples = (await readSamples('digits')).filter(({ expected }) => expected !== undefined);
  const victims = [...stack.workers];
  const accepted = await submitMany(stack, {
    model: 'digits',
    samples,
    count: COUNT,
    callers: 16,
    onAccepted: (count) => {
      // At a quarter, a half and three quarters of the load; a fresh one takes each one's place.
      if (count % (COUNT / 4) !== 0 || count === COUNT) return;
      victims.shift()?.kill('SIGKILL');
      stack.addWorker();
    },
  });
  expect(victims).toHaveLength(0);
  expect(await tallyOutcomes(stack, accepted, 90_000)).toEqual({ succeeded: COUNT });

  // One result each: as many completed jobs as predictions, and nothing left behind.
  const { client } = redis;
  const key = (suffix: string): string => `quern:{digits}:digits:${suffix}`;
  await eventually(async () => expect(await client.llen(key('active'))).toBe(0));
  expect(await client.zcard(key('completed'))).toBe(COUNT);
  expect(await client.zcard(key('failed'))).toBe(0);
  expect(await client.zcard(key('prioritized'))).toBe(0);
});
