import { VirtualClock } from '@quern/batcher';
import { percentile } from '../summary.ts';
import { MAX_BATCH_SIZE, type ModelProfile } from './model-profile.ts';
import { ours } from './policies/ours.ts';
import { strictPriority } from './policies/strict-priority.ts';
import { workConserving } from './policies/work-conserving.ts';
import { Random } from './random.ts';
import type { Job, Policy } from './world.ts';

const FLOOD_MS = 30_000;
const FLOOD_UTILISATION = 1.05;
const TRICKLE_INTERVAL_MS = 250;

export interface FloodResult {
  readonly policy: string;
  readonly highP99Ms: number;
  readonly lowP99Ms: number;
  readonly lowLongestMs: number;
}

/** Slightly more high requests than can be done, for half a minute, and four low ones a second. */
export async function priorityFlood(profile: ModelProfile, seed: number): Promise<FloodResult[]> {
  const results: FloodResult[] = [];
  for (const policy of [ours, strictPriority, workConserving]) {
    results.push(await flood(policy, profile, seed));
  }
  return results;
}

async function flood(policy: Policy, profile: ModelProfile, seed: number): Promise<FloodResult> {
  const clock = new VirtualClock();
  const random = new Random(seed);
  const offer = policy.start({
    clock,
    instances: 1,
    profile,
    tunedBatchSize: MAX_BATCH_SIZE,
    latencyGoalMs: Number.POSITIVE_INFINITY,
    random,
    run: (_instance, jobs, onEnd) => {
      const runMs = profile.timeMs(jobs.length);
      clock.setTimer(clock.nowMs() + runMs, () => {
        for (const job of jobs) job.endedAtMs = clock.nowMs();
        onEnd(runMs);
      });
    },
  });
  const jobs: Job[] = [];
  const submitEvery = (priority: 0 | 2, intervalMs: () => number): void => {
    const submit = (): void => {
      const arrivedAtMs = clock.nowMs();
      const job: Job = {
        arrivedAtMs,
        deadlineAtMs: Number.POSITIVE_INFINITY,
        priority,
        endedAtMs: undefined,
      };
      jobs.push(job);
      offer(job);
      if (arrivedAtMs < FLOOD_MS) clock.setTimer(arrivedAtMs + intervalMs(), submit);
    };
    clock.setTimer(intervalMs(), submit);
  };
  const perMs = (MAX_BATCH_SIZE / profile.timeMs(MAX_BATCH_SIZE)) * FLOOD_UTILISATION;
  submitEvery(0, () => random.exponential(1 / perMs));
  submitEvery(2, () => TRICKLE_INTERVAL_MS);
  await clock.runUntilIdle();
  const high = waits(jobs, 0);
  const low = waits(jobs, 2);
  return {
    policy: policy.name,
    highP99Ms: percentile(high, 0.99),
    lowP99Ms: percentile(low, 0.99),
    lowLongestMs: low.at(-1) ?? 0,
  };
}

/** Ascending; a request that never ran waited for ever. */
function waits(jobs: readonly Job[], priority: 0 | 2): number[] {
  return jobs
    .filter((job) => job.priority === priority)
    .map(({ arrivedAtMs, endedAtMs = Number.POSITIVE_INFINITY }) => endedAtMs - arrivedAtMs)
    .sort((a, b) => a - b);
}
