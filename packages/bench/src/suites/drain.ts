import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EXAMPLE_MODELS, TestProcess } from '@quern/testkit';
import { Queue } from 'bullmq';
import { evalshaPerSecond } from '../limits/evalsha-rate.ts';
import { drainPredictions, jobsPerSecond, repeat } from '../load/drain.ts';
import type { Figure } from '../report.ts';
import { pairedRatios, summarise } from '../summary.ts';
import { type BenchStack, withBenchStack } from './bench-stack.ts';
import type { Suite } from './suite.ts';

/** What Quern's worker derives for maxBatchSize 64 and one instance. */
const CONCURRENCY = 192;

/** How many wait, and how often that is measured. The long queue is the one that a night leaves behind. */
const FILLS = [
  { count: 8000, rounds: 4 },
  { count: 50_000, rounds: 1 },
];
const QUICK_FILLS = [{ count: 2000, rounds: 2 }];

/** Room for the longest queue, and for all its results. */
const QUEUE_YAML = `batching: {maxBatchSize: 64}
queue:
  maxSize: 100000
  retention: {succeeded: {count: 100000}}
`;

/**
 * A tiny model: the queue is the limit. Prefilled predictions, beside BullMQ's worker doing nothing, and
 * beside the rate at which this Redis runs a script.
 */
export const drainSuite: Suite = async ({ quick, log }) => {
  const text = await readFile(join(EXAMPLE_MODELS, 'digits/samples/three.json'), 'utf8');
  const { input } = JSON.parse(text) as { input: Record<string, unknown> };
  const onnx = await readFile(join(EXAMPLE_MODELS, 'digits/1/model.onnx'));
  const made = [{ name: 'digits', onnx, yaml: QUEUE_YAML }];
  return withBenchStack({ made }, async (parts) => {
    const bare = new TestProcess({
      name: 'bare BullMQ worker',
      command: process.execPath,
      args: [fileURLToPath(new URL('../limits/bare-bullmq-main.js', import.meta.url))],
      env: { BENCH_REDIS_URL: parts.redis.url, BENCH_CONCURRENCY: String(CONCURRENCY) },
    });
    const noops = new Queue('bare', { connection: parts.redis.client });
    const figures: Figure[] = [];
    try {
      await bare.line(/listening/);
      for (const fill of quick ? QUICK_FILLS : FILLS) {
        figures.push(...(await measure({ parts, input, noops, log, ...fill })));
      }
    } finally {
      await bare.stop('SIGKILL');
      await noops.close();
    }
    return figures;
  });
};

interface DrainMeasurement {
  readonly parts: BenchStack;
  readonly input: Record<string, unknown>;
  readonly noops: Queue;
  readonly log: (line: string) => void;
  readonly count: number;
  readonly rounds: number;
}

async function measure(options: DrainMeasurement): Promise<Figure[]> {
  const { parts, input, noops, log, count, rounds } = options;
  const ours: number[] = [];
  const theirs: number[] = [];
  const scripts: number[] = [];
  for (let round = 1; round <= rounds; round++) {
    ours.push(await drainPredictions({ queue: parts.queue, model: 'digits', input, count }));
    await noops.pause();
    await repeat(count, () => noops.add('noop', {}));
    await noops.resume();
    theirs.push(await jobsPerSecond(noops, count));
    scripts.push(await evalshaPerSecond(parts.redis.url, 1));
    const [rate, noopRate, scriptRate] = [ours, theirs, scripts].map((all) =>
      all.at(-1)?.toFixed(0),
    );
    log(
      `  ${count}, round ${round}: ${rate}/s beside ${noopRate} no-ops/s, ${scriptRate} scripts/s`,
    );
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
    {
      what: `the same beside what Redis can do (${count} waiting)`,
      unit: '/s',
      ours: summarise(ours),
      limit: { what: 'EVALSHA of four commands/s', value: summarise(scripts) },
      ratio: pairedRatios(ours, scripts),
    },
  ];
}
