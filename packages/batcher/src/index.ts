export { Batcher, type BatcherOptions, type BatchFormed, type DrainOptions } from './batcher.ts';
export type { BatcherStats } from './batcher-stats.ts';
export { type Clock, createRealClock, realClock } from './clock.ts';
export { type Decision, decide } from './decide.ts';
export {
  type Batch,
  type BatchResult,
  DISPATCH_REASONS,
  type DispatchReason,
  type Entry,
  type Outcome,
  type PriorityClass,
} from './entry.ts';
export { type DropReason, EntryDropped } from './entry-dropped.ts';
export {
  type IsolateOptions,
  type IsolateResult,
  type IsolateVerdict,
  runIsolating,
} from './isolate.ts';
export { LaneProfiles, type LaneProfilesSnapshot } from './lane-profiles.ts';
export { MemoryCap, type MemoryCapOptions, type RunCost, runCost } from './memory-cap.ts';
export { PRIORITY_HANDICAP_MS } from './queued-entry.ts';
export { RunProfile, type RunProfileSnapshot, type RunSample } from './run-profile.ts';
export { type BatchingMode, type BatchingSettings, requiredConcurrency } from './settings.ts';
export type { InstanceView, LaneView, ProfileView, Situation } from './situation.ts';
export type { TurnGate } from './turn-gate.ts';
export { VirtualClock } from './virtual-clock.ts';
