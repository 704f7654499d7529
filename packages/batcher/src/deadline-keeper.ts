import { chooseDeadlineBatch, type DeadlineBatch } from './deadline-batch.ts';
import type { Entry } from './entry.ts';
import type { Lane } from './lane.ts';
import type { QueuedEntry } from './queued-entry.ts';
import type { RunProfile } from './run-profile.ts';
import type { BatchingMode } from './settings.ts';
import type { InstanceView } from './situation.ts';
import { TimeLimits } from './time-limits.ts';

/** Without runs for so long the machine may have changed: then one is run, late or not, to find out. */
const CERTAIN_FOR_MS = 1_000;

/** Batches' worth of entries that are looked at, and if there is more work than time. */
const LOOKAHEAD_BATCHES = 2;
const OVERLOADED_BATCHES = 6;

/** With a deadline within so many runs a batch is kept small if that costs hardly any throughput. */
const NEAR_RUNS = 8;

/** With more than this share given up there is more work than time. */
const OVERLOADED_SHARE = 0.01;
const LOST_SHARE_WEIGHT = 0.1;

/**
 * How much longer than expected a run may take that still has to keep a deadline, in standard deviations.
 * With too much work others can make better use of the time than an entry that is likely to be late.
 */
const MARGIN = 0.5;
const OVERLOADED_MARGIN = 3;

export interface DeadlineChoice<P, R> {
  readonly nowMs: number;
  readonly lane: Lane<P, R>;
  readonly profile: RunProfile;
  /** The one that the batch is for. */
  readonly instance: InstanceView;
  readonly instances: readonly InstanceView[];
  readonly maxRows: number;
  readonly maxEntries: number;
  readonly mode: BatchingMode;
}

/** Knows what `chooseDeadlineBatch` has to be told of what happened before. */
export class DeadlineKeeper {
  readonly #timeLimits = new TimeLimits();
  #lastRunEndedAtMs = Number.NEGATIVE_INFINITY;
  /** The share of entries that were lately given up, of those that were chosen from. */
  #lostShare = 0;

  submitted(entry: Entry<unknown>): void {
    if (entry.deadlineAtMs !== undefined) this.#timeLimits.add(entry);
  }

  runEnded(nowMs: number): void {
    this.#lastRunEndedAtMs = nowMs;
  }

  /** The least time that an entry had lately from arrival to deadline; Infinity without any. */
  shortestTimeLimitMs(nowMs: number): number {
    return this.#timeLimits.shortestMs(nowMs);
  }

  /** Chooses the entries of a batch from a lane where some have deadlines; takes none out. */
  choose<P, R>(choice: DeadlineChoice<P, R>): DeadlineBatch<QueuedEntry<P, R>> {
    const { nowMs, lane, profile, instance, instances, maxEntries } = choice;
    const overloaded = this.#lostShare > OVERLOADED_SHARE;
    const startAtMs = startOn(instance, nowMs);
    const others = instances.filter((other) => other !== instance);
    const lookaheadBatches = overloaded ? OVERLOADED_BATCHES : LOOKAHEAD_BATCHES;
    const chosen = chooseDeadlineBatch(lane.next(choice.maxRows * lookaheadBatches), {
      startAtMs,
      otherStartAtMs: Math.min(...others.map((other) => startOn(other, nowMs))),
      maxRows: promptRows(choice, startAtMs),
      maxEntries,
      estimateMs: (rows) => profile.estimateMs(rows),
      marginShare: profile.spread * (overloaded ? OVERLOADED_MARGIN : MARGIN),
      certain: profile.certain && nowMs - this.#lastRunEndedAtMs < CERTAIN_FOR_MS,
      overloaded,
    });
    const lost = chosen.doomed.length / Math.max(1, chosen.doomed.length + chosen.batch.length);
    this.#lostShare += LOST_SHARE_WEIGHT * (lost - this.#lostShare);
    return chosen;
  }
}

function promptRows<P, R>(
  { lane, profile, maxRows, mode }: DeadlineChoice<P, R>,
  startAtMs: number,
): number {
  const nearMs = startAtMs + NEAR_RUNS * (profile.estimateMs(maxRows) ?? 0);
  const isNear = lane.earliestDeadlineAtMs < nearMs;
  return mode === 'auto' && isNear ? profile.promptSize(maxRows) : maxRows;
}

/** When a batch could start on an instance; Infinity if nobody knows. */
function startOn({ state, expectedEndMs }: InstanceView, nowMs: number): number {
  if (state === 'idle') return nowMs;
  if (state === 'full') return Number.POSITIVE_INFINITY;
  return Math.max(nowMs, expectedEndMs ?? nowMs);
}
