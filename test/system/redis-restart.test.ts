import { EXAMPLE_MODELS, eventually, TestRedis, TestStack } from '@quern/testkit';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { submitMany, tallyOutcomes } from './load.ts';
import { readSamples } from './samples.ts';

const COUNT = 2000;

let redis: TestRedis;
let stack: TestStack;

beforeEach(async () => {
  // `always`: what Redis has acknowledged is on disk when it is killed.
  redis = await TestRedis.start({ appendfsync: 'always' });
  stack = await TestStack.start({
    redisUrl: redis.url,
    models: EXAMPLE_MODELS,
    workers: 2,
    env: { QUERN_LOCK_DURATION_MS: '3000', QUERN_STALLED_INTERVAL_MS: '1000' },
  });
});

afterEach(async () => {
  await stack?.stop();
  await redis?.stop();
});

it('loses nothing that was accepted when Redis is killed and restarted in mid-load', async () => {
  let outage: Promise<void> | undefined;
  const accepted = await submitMany(stack, {
    model: 'digits',
    samples: await readSamples('digits'),
    count: COUNT,
    callers: 16,
    retryStatuses: [503],
    onAccepted: (count) => {
      if (count === COUNT / 2) outage = cutRedis();
    },
  });
  await outage;
  expect(await tallyOutcomes(stack, accepted, 90_000)).toEqual({ succeeded: COUNT });
});

/** Kills Redis, sees the API refuse with 503 while it is away, and starts it again. */
async function cutRedis(): Promise<void> {
  await redis.kill();
  await eventually(async () => {
    const response = await stack.post('/v1/models/digits/predictions', {
      input: { image: [[Array.from({ length: 8 }, () => Array(8).fill(0))]] },
    });
    expect(response.status).toBe(503);
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
  });
  await redis.start();
}
