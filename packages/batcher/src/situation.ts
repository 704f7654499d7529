import type { BatchingSettings } from './settings.ts';

/** What `decide` needs to know of a lane. */
export interface LaneView {
  readonly name: string;
  /** The rows that wait, at least 1. */
  readonly rows: number;
  /** When the entry came that has waited longest. */
  readonly oldestArrivedAtMs: number;
  /** When the entry that is next counts as arrived, its priority considered. */
  readonly effectiveArrivalMs: number;
  /** Infinity when no entry has a deadline. */
  readonly earliestDeadlineAtMs: number;
  /** It has one entry, which runs alone. */
  readonly alone: boolean;
}

/**
 * What `decide` needs to know of an instance: it is `idle`, or `running` with its prefetch place
 * free, or `full`.
 */
export interface InstanceView {
  readonly state: 'idle' | 'running' | 'full';
  /** When the run is expected to end; undefined unless running with a known run time. */
  readonly expectedEndMs: number | undefined;
  /** The expected length of that run. */
  readonly expectedRunMs: number | undefined;
}

/** What `decide` asks of what is known about a lane's run times; see `RunProfile`. */
export interface ProfileView {
  estimateMs(rows: number): number | undefined;
  bestSize(max: number): number | undefined;
  cutSize(rows: number): number;
  promptSize(max: number): number;
  probeSize(max: number): number | undefined;
}

/** All that a decision depends on, apart from the time. */
export interface Situation<L extends LaneView, I extends InstanceView = InstanceView> {
  /** Those that have entries. */
  readonly lanes: Iterable<L>;
  readonly instances: readonly I[];
  readonly profiles: { of(lane: string): ProfileView };
  readonly settings: BatchingSettings;
  /** Nothing more will come, so nothing waits to be filled up. */
  readonly draining: boolean;
  /**
   * The least time that an entry had lately from arrival to deadline.
   *
   * @default Infinity
   */
  readonly shortestTimeLimitMs?: number;
}
