import { blobOptionsSchema, openBlobs } from '@quern/blobs';
import { openRedis, PayloadStore } from '@quern/queue';
import { serveRunner } from '@quern/runtime';
import { resultPayloads } from './result-payloads.ts';

/**
 * A runner's process: the model's session, with a Redis connection and blob stores of its own for
 * inputs and results that are too large to pass through the worker. The model loads whether Redis answers or not.
 */
const redis = openRedis({
  url: process.env['QUERN_REDIS_URL'] ?? '',
  role: 'runner',
  name: 'runner',
  onError: (error) => process.stderr.write(`Redis: ${error.message}\n`),
});

const blobs = openBlobs(
  blobOptionsSchema.parse(JSON.parse(process.env['QUERN_RUNNER_BLOBS'] ?? '')),
);

serveRunner({
  payloads: resultPayloads(
    { redis, blobs, payloads: new PayloadStore(redis, blobs) },
    {
      model: process.env['QUERN_RUNNER_MODEL'] ?? '',
      ttlMs: Number(process.env['QUERN_RUNNER_RESULT_TTL_MS']),
    },
  ),
});
