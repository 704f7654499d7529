import type { DispatchReason } from './entry.ts';
import { type LanePlan, planLane, urgency } from './lane-plan.ts';
import type { InstanceView, LaneView, Situation } from './situation.ts';

/** The prefetch lead is this share of a run, at most `MAX_LEAD_MS`; one below `MIN_LEAD_MS` is none. */
const LEAD_SHARE = 0.1;
const MAX_LEAD_MS = 2;
const MIN_LEAD_MS = 0.5;

/**
 * If entries come with less time than so many runs, a full batch is prefetched as late as can be too:
 * one that comes while the run is on may have to go first.
 */
const URGENT_RUNS = 8;
const MIN_URGENT_LEAD_MS = 0.2;

export type Decision<L extends LaneView, I extends InstanceView> =
  | {
      readonly kind: 'run';
      readonly lane: L;
      readonly instance: I;
      /** Take the lane's entries in order as long as they fit in these. */
      readonly maxRows: number;
      readonly maxEntries: number;
      readonly reason: DispatchReason;
      /** The size is tried out to learn from it. */
      readonly probe: boolean;
    }
  | {
      readonly kind: 'wait';
      /** Decide again then, or when something changes; undefined: only when something changes. */
      readonly untilMs: number | undefined;
    };

/**
 * Decides what to do now: run this, or wait. Pure: the same situation gives the same decision.
 *
 * With an idle instance the most urgent of the lanes that are ready runs. A lane is ready when it is
 * full (has reached its target), when no delay is configured, when its oldest entry has waited that
 * delay, or when it would miss a deadline by waiting. With none ready, it waits for the first.
 *
 * With every instance busy a prefetch place must not make batches small, as nothing is gained by
 * forming a batch before it can run. So the lane that would run next takes the place only if it is
 * full, or if the current run is about to end: its payloads are then read just in time.
 *
 * Costs O(lanes) for a batch.
 */
export function decide<L extends LaneView, I extends InstanceView>(
  nowMs: number,
  situation: Situation<L, I>,
): Decision<L, I> {
  const idle = situation.instances.find((instance) => instance.state === 'idle');
  if (idle !== undefined) return fillInstance(nowMs, idle, situation);
  const running = endingFirst(situation.instances);
  if (running !== undefined) return fillPrefetchPlace(nowMs, running, situation);
  return waitUntil(undefined);
}

function fillInstance<L extends LaneView, I extends InstanceView>(
  nowMs: number,
  idle: I,
  situation: Situation<L, I>,
): Decision<L, I> {
  const plans = planAll(situation);
  const plan = mostUrgent(plans, nowMs);
  if (plan !== undefined) return run(plan, idle);
  let firstReadyAtMs: number | undefined;
  for (const { readyAtMs } of plans) {
    if (firstReadyAtMs === undefined || readyAtMs < firstReadyAtMs) firstReadyAtMs = readyAtMs;
  }
  return waitUntil(firstReadyAtMs);
}

function fillPrefetchPlace<L extends LaneView, I extends InstanceView>(
  nowMs: number,
  running: I,
  situation: Situation<L, I>,
): Decision<L, I> {
  const endMs = Math.max(nowMs, running.expectedEndMs ?? nowMs);
  const plan = mostUrgent(planAll(situation), endMs);
  if (plan === undefined) return waitUntil(undefined);
  if (situation.draining) return run(plan, running);
  const urgentComes = (situation.shortestTimeLimitMs ?? Infinity) < URGENT_RUNS * plan.runMs;
  const leadStartMs = leadStart(
    running,
    plan.full && urgentComes ? MIN_URGENT_LEAD_MS : MIN_LEAD_MS,
  );
  if (plan.full && (!urgentComes || leadStartMs === undefined)) return run(plan, running);
  if (leadStartMs !== undefined && nowMs >= leadStartMs) return run(plan, running);
  return waitUntil(leadStartMs);
}

function planAll<L extends LaneView>(situation: Situation<L>): LanePlan<L>[] {
  const plans: LanePlan<L>[] = [];
  for (const lane of situation.lanes) plans.push(planLane(lane, situation));
  return plans;
}

/** Of the lanes that are ready at `atMs`, the one that goes first. */
function mostUrgent<L extends LaneView>(
  plans: readonly LanePlan<L>[],
  atMs: number,
): LanePlan<L> | undefined {
  let longestRunMs = 0;
  for (const { runMs } of plans) longestRunMs = Math.max(longestRunMs, runMs);
  let first: LanePlan<L> | undefined;
  let firstUrgency = Number.POSITIVE_INFINITY;
  for (const plan of plans) {
    if (plan.readyAtMs > atMs) continue;
    const planUrgency = urgency(plan, atMs, longestRunMs);
    if (first === undefined || planUrgency < firstUrgency) {
      [first, firstUrgency] = [plan, planUrgency];
    }
  }
  return first;
}

/** Of the instances with a free prefetch place, the one whose run is expected to end first. */
function endingFirst<I extends InstanceView>(instances: readonly I[]): I | undefined {
  let first: I | undefined;
  for (const instance of instances) {
    if (instance.state !== 'running') continue;
    const endMs = instance.expectedEndMs ?? Number.POSITIVE_INFINITY;
    if (first === undefined || endMs < (first.expectedEndMs ?? Number.POSITIVE_INFINITY)) {
      first = instance;
    }
  }
  return first;
}

/** When the time comes to prefetch a batch that is not full; undefined for runs too short for that. */
function leadStart(
  { expectedEndMs, expectedRunMs }: InstanceView,
  minLeadMs: number,
): number | undefined {
  if (expectedEndMs === undefined || expectedRunMs === undefined) return undefined;
  const leadMs = Math.min(MAX_LEAD_MS, expectedRunMs * LEAD_SHARE);
  return leadMs < minLeadMs ? undefined : expectedEndMs - leadMs;
}

function run<L extends LaneView, I extends InstanceView>(
  { lane, maxRows, maxEntries, reason, probe }: LanePlan<L>,
  instance: I,
): Decision<L, I> {
  return { kind: 'run', lane, instance, maxRows, maxEntries, reason, probe };
}

function waitUntil(untilMs: number | undefined): {
  readonly kind: 'wait';
  readonly untilMs: number | undefined;
} {
  return { kind: 'wait', untilMs };
}
