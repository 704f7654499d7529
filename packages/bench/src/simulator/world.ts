import type { PriorityClass, VirtualClock } from '@quern/batcher';
import type { ModelProfile } from './model-profile.ts';
import type { Random } from './random.ts';

/** A request of one row, and what becomes of it. */
export interface Job {
  readonly arrivedAtMs: number;
  /** Infinity without one. */
  readonly deadlineAtMs: number;
  readonly priority: PriorityClass;
  /** When its result was there; undefined if it was dropped. */
  endedAtMs: number | undefined;
}

/** What a policy may know and do. */
export interface World {
  readonly clock: VirtualClock;
  readonly instances: number;
  readonly profile: ModelProfile;
  /** What the policy's owner found out by measuring: the best fixed size. Ours is not told. */
  readonly tunedBatchSize: number;
  /** The earliest deadline that requests have, from arrival; Infinity if none has one. */
  readonly latencyGoalMs: number;
  readonly random: Random;
  /** Runs a batch on an instance that is free; `onEnd` says how long it took. */
  readonly run: (instance: number, jobs: readonly Job[], onEnd: (runMs: number) => void) => void;
}

export interface Policy {
  readonly name: string;
  /** Starts it in a world of its own; returns what is called with each request as it arrives. */
  readonly start: (world: World) => (job: Job) => void;
}
