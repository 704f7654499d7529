import { type PriorityClass, VirtualClock } from '@quern/batcher';
import { type Cell, capacityPerMs, deadlineLengths } from './cell.ts';
import { arrivalTimes } from './load-shape.ts';
import { type Measures, measure } from './measures.ts';
import { bestFixedSize } from './model-profile.ts';
import { Random } from './random.ts';
import type { Job, Policy, World } from './world.ts';

/** Run times vary by this share (one standard deviation). */
const RUN_NOISE = 0.05;

/** Requests of a cell: so many, and so many times what all instances hold in full batches. */
const MIN_JOBS = 3000;
const ROUNDS = 60;
const MIN_FULL_ROWS = 8;

/** What happens before this share of the time is not measured: policies that learn, learn. */
const WARM_UP_SHARE = 0.2;

/** Plays a cell's requests to a policy, the same ones to each. Deterministic by seed. */
export async function simulate(policy: Policy, cell: Cell, seed: number): Promise<Measures> {
  const clock = new VirtualClock();
  const jobs = makeJobs(cell, new Random(seed));
  const offer = policy.start(makeWorld(cell, clock, seed));
  let next = 0;
  const arrive = (): void => {
    const job = jobs[next];
    if (job === undefined) return;
    next += 1;
    const following = jobs[next];
    if (following !== undefined) clock.setTimer(following.arrivedAtMs, arrive);
    offer(job);
  };
  clock.setTimer(jobs[0]?.arrivedAtMs ?? 0, arrive);
  await clock.runUntilIdle();
  const endMs = jobs.at(-1)?.arrivedAtMs ?? 0;
  return measure(jobs, { fromMs: endMs * WARM_UP_SHARE, untilMs: endMs });
}

function makeWorld(cell: Cell, clock: VirtualClock, seed: number): World {
  const { profile, instances, deadlines } = cell;
  const noise = new Random(seed + 1);
  const { tightMs, looseMs } = deadlineLengths(profile);
  const goalsMs = {
    none: Number.POSITIVE_INFINITY,
    loose: looseMs,
    tight: tightMs,
    mixed: tightMs,
  };
  return {
    clock,
    instances,
    profile,
    tunedBatchSize: bestFixedSize(profile),
    latencyGoalMs: goalsMs[deadlines],
    random: new Random(seed + 2),
    run: (_instance, batch, onEnd) => {
      const runMs = profile.timeMs(batch.length) * Math.exp(RUN_NOISE * noise.normal());
      const endMs = clock.nowMs() + runMs;
      clock.setTimer(endMs, () => {
        for (const job of batch) job.endedAtMs = endMs;
        onEnd(runMs);
      });
    },
  };
}

function makeJobs(cell: Cell, random: Random): Job[] {
  const { profile, load, utilisation, instances, deadlines } = cell;
  const best = bestFixedSize(profile);
  const count = MIN_JOBS + ROUNDS * instances * Math.max(best, MIN_FULL_ROWS);
  const perMs = capacityPerMs(cell) * utilisation;
  const burstMs = 5 * profile.timeMs(best);
  const { tightMs, looseMs } = deadlineLengths(profile);
  const none = Number.POSITIVE_INFINITY;
  const lengthMs = (): number => {
    if (deadlines === 'mixed') return random.pick([none, looseMs, tightMs]);
    return { none, loose: looseMs, tight: tightMs }[deadlines];
  };
  return arrivalTimes({ shape: load, perMs, count, burstMs }, random).map((arrivedAtMs) => ({
    arrivedAtMs,
    deadlineAtMs: arrivedAtMs + lengthMs(),
    priority: 1 satisfies PriorityClass,
    endedAtMs: undefined,
  }));
}
