import {
  Batcher,
  type BatchResult,
  type Entry,
  LaneProfiles,
  type RunSample,
} from '@quern/batcher';
import { MAX_BATCH_SIZE } from '../model-profile.ts';
import type { Job, Policy, World } from '../world.ts';

/** The spread of what a warm-up measures. */
const WARM_UP_NOISE = 0.05;

/** The batcher itself, with its defaults, and what a warm-up would have measured. */
export const ours: Policy = {
  name: 'quern',
  start: (world) => {
    const batcher = new Batcher<Job, undefined>({
      settings: { mode: 'auto', maxBatchSize: MAX_BATCH_SIZE, maxQueueDelayMs: 0 },
      instances: world.instances,
      clock: world.clock,
      profiles: new LaneProfiles(warmUp(world)),
      run: runInTurn(world),
    });
    return (job) => {
      const entry: Entry<Job> = {
        rows: 1,
        lane: 'all',
        priority: job.priority,
        arrivedAtMs: job.arrivedAtMs,
        deadlineAtMs: Number.isFinite(job.deadlineAtMs) ? job.deadlineAtMs : undefined,
        payload: job,
      };
      batcher.submit(entry).catch(() => {});
    };
  },
};

/** Powers of two, as the worker's warm-up measures them. */
function warmUp({ profile, random }: World): RunSample[] {
  const samples: RunSample[] = [];
  for (let rows = 1; rows <= MAX_BATCH_SIZE; rows *= 2) {
    samples.push({
      rows,
      timeMs: profile.timeMs(rows) * Math.exp(WARM_UP_NOISE * random.normal()),
    });
  }
  return samples;
}

/** A batch that was handed over ahead of time runs when the one before it has ended. */
function runInTurn(world: World) {
  const turns = new Map<number, Promise<void>>();
  return (batch: {
    readonly instance: number;
    readonly entries: readonly Entry<Job>[];
  }): Promise<BatchResult<undefined>> => {
    const jobs = batch.entries.map(({ payload }) => payload);
    const run = (): Promise<void> =>
      new Promise((resolve) => world.run(batch.instance, jobs, () => resolve()));
    const before = turns.get(batch.instance);
    const ended = before === undefined ? run() : before.then(run);
    turns.set(batch.instance, ended);
    return ended.then(() => {
      if (turns.get(batch.instance) === ended) turns.delete(batch.instance);
      return { outcomes: jobs.map(() => ({ ok: true, value: undefined }) as const) };
    });
  };
}
