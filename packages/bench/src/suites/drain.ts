import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EXAMPLE_MODELS, TestProcess } from '@quern/testkit';
import { Queue } from 'bullmq';
import { drainPredictions, jobsPerSecond, repeat } from '../load/drain.ts';
import { pairedRatios, summarise } from '../summary.ts';
import { withBenchStack } from './bench-stack.ts';
import type { Suite } from './suite.ts';

/** What Quern's worker derives for maxBatchSize 64 and one instance. */
const CONCURRENCY = 192;

/** A tiny model: the queue is the limit. Prefilled predictions, beside BullMQ's worker doing nothing. */
export const drainSuite: Suite = async ({ quick, log }) => {
  const rounds = quick ? 2 : 5;
  const count = quick ? 2000 : 8000;
  const text = await readFile(join(EXAMPLE_MODELS, 'digits/samples/three.json'), 'utf8');
  const { input } = JSON.parse(text) as { input: Record<string, unknown> };
  return withBenchStack({ examples: ['digits'] }, async ({ queue, redis }) => {
    const bare = new TestProcess({
      name: 'bare BullMQ worker',
      command: process.execPath,
      args: [fileURLToPath(new URL('../limits/bare-bullmq-main.js', import.meta.url))],
      env: { BENCH_REDIS_URL: redis.url, BENCH_CONCURRENCY: String(CONCURRENCY) },
    });
    const noops = new Queue('bare', { connection: redis.client });
    const ours: number[] = [];
    const theirs: number[] = [];
    try {
      await bare.line(/listening/);
      for (let round = 0; round < rounds; round++) {
        ours.push(await drainPredictions({ queue, model: 'digits', input, count }));
        await noops.pause();
        await repeat(count, () => noops.add('noop', {}));
        await noops.resume();
        theirs.push(await jobsPerSecond(noops, count));
        log(
          `  round ${round + 1}: ${ours.at(-1)?.toFixed(0)}/s beside ${theirs.at(-1)?.toFixed(0)}/s`,
        );
      }
    } finally {
      await bare.stop('SIGKILL');
      await noops.close();
    }
    return [
      {
        what: `queue-bound: digits predictions drained/s (${count} waiting)`,
        unit: '/s',
        ours: summarise(ours),
        limit: { what: 'bare BullMQ no-op jobs/s', value: summarise(theirs) },
        ratio: pairedRatios(ours, theirs),
        goal: '0.90',
      },
    ];
  });
};
