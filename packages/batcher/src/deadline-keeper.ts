import { chooseDeadlineBatch, type DeadlineBatch } from './deadline-batch.ts';
import type { Entry } from './entry.ts';
import type { Lane } from './lane.ts';
import type { QueuedEntry } from './queued-entry.ts';
import type { RunProfile } from './run-profile.ts';
import type { InstanceView } from './situation.ts';
import { TimeLimits } from './time-limits.ts';

/** Without runs for so long the machine may have changed: then one is run, late or not, to find out. */
const CERTAIN_FOR_MS = 1_000;

/** Batches' worth of entries that are looked at, at first. */
const LOOKAHEAD_BATCHES = 2;

/** With more than this share given up there is more work than time. */
const OVERLOADED_SHARE = 0.01;
const LOST_SHARE_RUNS = 6;
const LEAST_ELAPSED_SHARE = 0.01;

/**
 * How much longer than expected a run may take that still has to keep a deadline, in standard deviations.
 * With too much work others can make better use of the time than an entry that is likely to be late.
 */
const MARGIN = 0.8;
const OVERLOADED_MARGIN = 3;

/** And how much later than expected the run before it may end. */
const OVERLOADED_LATENESS = 1;

export interface DeadlineChoice<P, R> {
  readonly nowMs: number;
  readonly lane: Lane<P, R>;
  readonly profile: RunProfile;
  /** The one that the batch is for. */
  readonly instance: InstanceView;
  readonly instances: readonly InstanceView[];
  readonly maxRows: number;
  readonly maxEntries: number;
}

/** Knows what `chooseDeadlineBatch` has to be told of what happened before. */
export class DeadlineKeeper {
  readonly #timeLimits = new TimeLimits();
  #lastRunEndedAtMs = Number.NEGATIVE_INFINITY;
  /** The share of entries that were lately given up, of those that were chosen from. */
  #lostShare = 0;
  #notedAtMs = Number.NEGATIVE_INFINITY;

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
    const lateness = { spread: profile.spread, deviations: overloaded ? OVERLOADED_LATENESS : 0 };
    const startAtMs = startOn(instance, nowMs, lateness);
    const others = instances.filter((other) => other !== instance);
    const situation = {
      startAtMs,
      otherStartAtMs: Math.min(...others.map((other) => startOn(other, nowMs, lateness))),
      maxRows: choice.maxRows,
      maxEntries,
      estimateMs: (rows: number) => profile.estimateMs(rows),
      marginShare: profile.spread * (overloaded ? OVERLOADED_MARGIN : MARGIN),
      certain: profile.certain && nowMs - this.#lastRunEndedAtMs < CERTAIN_FOR_MS,
      overloaded,
    };
    let lookaheadRows = choice.maxRows * LOOKAHEAD_BATCHES;
    let chosen = chooseDeadlineBatch(lane.next(lookaheadRows), situation);
    // With too much work those that can make it may be behind many that cannot, which are given up.
    while (overloaded && chosen.capped && lookaheadRows < lane.rows) {
      lookaheadRows *= 4;
      chosen = chooseDeadlineBatch(lane.next(lookaheadRows), situation);
    }
    const runMs = profile.estimateMs(choice.maxRows) ?? 0;
    this.#noteLost(chosen.doomed.length, chosen.batch.length, nowMs, runMs);
    return chosen;
  }

  /** A mean over the last runs' time, however many instances share it. */
  #noteLost(lost: number, chosen: number, nowMs: number, runMs: number): void {
    const elapsedMs = Math.max(nowMs - this.#notedAtMs, LEAST_ELAPSED_SHARE * runMs);
    const weight = runMs > 0 ? 1 - Math.exp(-elapsedMs / (runMs * LOST_SHARE_RUNS)) : 1;
    this.#lostShare += weight * (lost / Math.max(1, lost + chosen) - this.#lostShare);
    this.#notedAtMs = nowMs;
  }
}

/**
 * When a batch could start on an instance; Infinity if nobody knows. A run that is overdue is not over:
 * it may take as much longer as runs spread. `lateness` is what is added for that, in spreads.
 */
function startOn(
  { state, expectedEndMs, expectedRunMs = 0 }: InstanceView,
  nowMs: number,
  lateness: { readonly spread: number; readonly deviations: number },
): number {
  if (state === 'idle') return nowMs;
  if (state === 'full') return Number.POSITIVE_INFINITY;
  const spreadMs = expectedRunMs * lateness.spread;
  const endMs = Math.max(nowMs + spreadMs, expectedEndMs ?? nowMs);
  return endMs + spreadMs * lateness.deviations;
}
