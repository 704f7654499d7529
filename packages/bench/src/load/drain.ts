import { parseModelInputs } from '@quern/contract';
import { openBullQueue, type PredictionQueue } from '@quern/queue';
import { eventually } from '@quern/testkit';
import type { Queue } from 'bullmq';

const SUBMITTERS = 64;
const TIMEOUT_MS = 300_000;

export interface DrainOptions {
  readonly queue: PredictionQueue;
  readonly model: string;
  readonly input: Record<string, unknown>;
  readonly count: number;
}

/**
 * How fast the workers that are running empty a queue: it is filled while paused, then opened.
 * @returns predictions per second, from the first start to the last end
 */
export async function drainPredictions(options: DrainOptions): Promise<number> {
  const { queue, model, count } = options;
  const bull = openBullQueue(queue.redis, model);
  await bull.pause();
  const target = await queue.registry.resolve(model);
  const inputs = parseModelInputs(options.input, target.signature);
  await repeat(count, () => queue.submit({ target, inputs, priority: 'normal' }));
  await bull.resume();
  const rate = await jobsPerSecond(bull, count);
  await bull.close();
  return rate;
}

/** So many of the first and last jobs tell when the first started and the last ended. */
const EDGE = 500;

/** Waits until `count` jobs are completed, reads their rate from their times, and forgets them. */
export async function jobsPerSecond(bull: Queue, count: number): Promise<number> {
  await eventually(async () => (await bull.getCompletedCount()) >= count, TIMEOUT_MS);
  const [first, last] = await Promise.all([
    bull.getJobs(['completed'], 0, EDGE, true),
    bull.getJobs(['completed'], 0, EDGE, false),
  ]);
  const startedAtMs = Math.min(...first.map((job) => job.processedOn ?? Number.POSITIVE_INFINITY));
  const endedAtMs = Math.max(...last.map((job) => job.finishedOn ?? 0));
  await bull.clean(0, 0, 'completed');
  return (count * 1000) / Math.max(1, endedAtMs - startedAtMs);
}

/** Calls an action `count` times, a number of calls at a time. */
export async function repeat(count: number, action: () => Promise<unknown>): Promise<void> {
  let left = count;
  async function work(): Promise<void> {
    while (left-- > 0) await action();
  }
  await Promise.all(Array.from({ length: SUBMITTERS }, work));
}
