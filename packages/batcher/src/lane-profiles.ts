import { RunProfile, type RunProfileSnapshot, type RunSample } from './run-profile.ts';

/** Lanes of a generation; twice as many are known at most. */
const GENERATION_LANES = 128;

/** The profiles of a model's lanes, as they are stored. */
export interface LaneProfilesSnapshot {
  readonly seed: readonly RunSample[];
  readonly lanes: Readonly<Record<string, RunProfileSnapshot>>;
}

/**
 * One `RunProfile` for each lane. A lane that was never seen starts from the seed. Lanes that are not
 * used are forgotten: those asked for belong to the young generation, and when it is full it becomes
 * the old one, and the old one is gone.
 */
export class LaneProfiles {
  #seed: readonly RunSample[];
  #young = new Map<string, RunProfile>();
  #old = new Map<string, RunProfile>();

  readonly #batchOverheadMs: number;

  /**
   * @param seed What was measured at warm-up; the expectation for every lane.
   * @param batchOverheadMs What a batch costs its host beyond the time of its instance. Larger batches
   *   are better by it than their run times alone say.
   */
  constructor(seed: readonly RunSample[] = [], batchOverheadMs = 0) {
    this.#seed = seed;
    this.#batchOverheadMs = batchOverheadMs;
  }

  static fromJSON(snapshot: LaneProfilesSnapshot, batchOverheadMs = 0): LaneProfiles {
    const profiles = new LaneProfiles(snapshot.seed, batchOverheadMs);
    for (const [lane, profile] of Object.entries(snapshot.lanes)) {
      profiles.#set(lane, RunProfile.fromJSON(profile, batchOverheadMs));
    }
    return profiles;
  }

  toJSON(): LaneProfilesSnapshot {
    const lanes = [...this.#old, ...this.#young].map(([lane, profile]) => [lane, profile.toJSON()]);
    return { seed: this.#seed, lanes: Object.fromEntries(lanes) };
  }

  /** The profile of a lane, made if need be. */
  of(lane: string): RunProfile {
    const known = this.#young.get(lane);
    return (
      known ??
      this.#set(lane, this.#old.get(lane) ?? new RunProfile(this.#seed, this.#batchOverheadMs))
    );
  }

  /** Starts one lane from samples of its own, e.g. measured at warm-up with its shape. */
  seedLane(lane: string, samples: readonly RunSample[]): void {
    this.#set(lane, new RunProfile(samples, this.#batchOverheadMs));
  }

  /** Forgets everything, the seed too: every lane learns from its next run on. */
  clear(): void {
    this.#seed = [];
    this.#young = new Map();
    this.#old = new Map();
  }

  #set(lane: string, profile: RunProfile): RunProfile {
    if (this.#young.size >= GENERATION_LANES) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(lane, profile);
    return profile;
  }
}
