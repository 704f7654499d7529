import type { DispatchReason } from './entry.ts';
import { DEADLINE_HEAD_START_MS } from './queued-entry.ts';
import type { LaneView, Situation } from './situation.ts';

/** Time kept between the expected end of a run and a deadline: this much, and 10 % of the run. */
const DEADLINE_MARGIN_MS = 2;
const DEADLINE_MARGIN_SHARE = 0.1;

/** What would be done about a lane, and from when on. */
export interface LanePlan<L extends LaneView> {
  readonly lane: L;
  /** A batch of this many rows at most. */
  readonly maxRows: number;
  readonly maxEntries: number;
  /** It reached its target, so that waiting gains nothing. */
  readonly full: boolean;
  readonly reason: DispatchReason;
  /** From when on it may run on a free instance; -Infinity: at once. */
  readonly readyAtMs: number;
  /** The latest start that keeps its earliest deadline; Infinity without one. */
  readonly latestStartMs: number;
  /** The expected run time; 0 if nothing is known. */
  readonly runMs: number;
  /** The size is being tried out. */
  readonly probe: boolean;
}

/** If entries come with less time than so many runs, small batches are preferred where that costs little. */
const URGENT_RUNS = 8;

/** A try takes at most this share of the time that entries have, or this many times a usual run. */
const TRY_SHARE = 0.25;
const TRY_FACTOR = 1.5;

interface Target {
  readonly rows: number;
  readonly probe: boolean;
}

export function planLane<L extends LaneView>(lane: L, situation: Situation<L>): LanePlan<L> {
  const { mode, maxBatchSize } = situation.settings;
  const target = targetOf(lane, situation);
  const full = lane.rows >= target.rows;
  const profile = situation.profiles.of(lane.name);
  const runMs = profile.estimateMs(Math.min(lane.rows, target.rows));
  const latestStartMs = latestStart(lane, runMs);
  return {
    lane,
    maxRows: full || mode !== 'auto' ? target.rows : profile.cutSize(lane.rows),
    maxEntries: mode === 'off' ? 1 : maxBatchSize,
    full,
    ...readiness(lane, full, target.rows, latestStartMs, situation),
    latestStartMs,
    runMs: runMs ?? 0,
    probe: target.probe,
  };
}

/**
 * The scale on which lanes are compared at `atMs`: the lesser is the more urgent. It is the effective
 * arrival, with a head start if the lane would miss a deadline by letting another run of `longestRunMs`
 * go first.
 */
export function urgency(plan: LanePlan<LaneView>, atMs: number, longestRunMs: number): number {
  const arrivalMs = plan.lane.effectiveArrivalMs;
  return plan.latestStartMs <= atMs + longestRunMs
    ? Math.min(arrivalMs, plan.latestStartMs - DEADLINE_HEAD_START_MS)
    : arrivalMs;
}

function targetOf(lane: LaneView, situation: Situation<LaneView>): Target {
  const { mode, maxBatchSize } = situation.settings;
  if (lane.alone) return { rows: lane.rows, probe: false };
  if (mode === 'off') return { rows: 1, probe: false };
  if (mode === 'fixed') return { rows: maxBatchSize, probe: false };
  const profile = situation.profiles.of(lane.name);
  const limitMs = situation.shortestTimeLimitMs ?? Number.POSITIVE_INFINITY;
  const rows = profile.bestSize(maxBatchSize) ?? maxBatchSize;
  const runMs = profile.estimateMs(rows) ?? 0;
  const probe = profile.probeSize(maxBatchSize);
  if (probe !== undefined && lane.rows >= probe) {
    const longestMs = Math.max(limitMs * TRY_SHARE, runMs * TRY_FACTOR);
    if ((profile.estimateMs(probe) ?? 0) <= longestMs) return { rows: probe, probe: true };
  }
  return { rows: limitMs < URGENT_RUNS * runMs ? profile.promptSize(rows) : rows, probe: false };
}

/** With an unknown run time, half of the time that the oldest entry has is kept for the run. */
function latestStart(lane: LaneView, runMs: number | undefined): number {
  const deadlineAtMs = lane.earliestDeadlineAtMs;
  if (deadlineAtMs === Number.POSITIVE_INFINITY) return deadlineAtMs;
  if (runMs === undefined) return (lane.oldestArrivedAtMs + deadlineAtMs) / 2;
  return deadlineAtMs - runMs * (1 + DEADLINE_MARGIN_SHARE) - DEADLINE_MARGIN_MS;
}

function readiness(
  lane: LaneView,
  full: boolean,
  targetRows: number,
  latestStartMs: number,
  { settings, draining }: Situation<LaneView>,
): { reason: DispatchReason; readyAtMs: number } {
  const atOnce = Number.NEGATIVE_INFINITY;
  if (full) {
    const knee = !lane.alone && settings.mode === 'auto' && targetRows < settings.maxBatchSize;
    return { reason: knee ? 'knee' : 'full', readyAtMs: atOnce };
  }
  if (draining) return { reason: 'drain', readyAtMs: atOnce };
  if (settings.maxQueueDelayMs === 0) return { reason: 'idle', readyAtMs: atOnce };
  const delayEndsAtMs = lane.oldestArrivedAtMs + settings.maxQueueDelayMs;
  return latestStartMs < delayEndsAtMs
    ? { reason: 'deadline', readyAtMs: latestStartMs }
    : { reason: 'delay', readyAtMs: delayEndsAtMs };
}
