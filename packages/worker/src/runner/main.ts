import { connectRedis, PayloadStore } from '@quern/queue';
import { serveRunner } from '@quern/runtime';
import { resultPayloads } from './result-payloads.ts';

/**
 * A runner's process: the model's session, with a Redis connection of its own for inputs and results
 * that are too large to pass through the worker.
 */
const redis = await connectRedis({
  url: process.env['QUERN_REDIS_URL'] ?? '',
  role: 'worker',
  name: 'runner',
  waitMs: 60_000,
  onError: (error) => process.stderr.write(`Redis: ${error.message}\n`),
});

serveRunner({
  payloads: resultPayloads(redis, new PayloadStore(redis), {
    model: process.env['QUERN_RUNNER_MODEL'] ?? '',
    ttlMs: Number(process.env['QUERN_RUNNER_RESULT_TTL_MS']),
  }),
});
