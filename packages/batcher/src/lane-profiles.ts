import { RunProfile, type RunProfileSnapshot, type RunSample } from './run-profile.ts';

/** Lanes beyond this number push out the one that has been known longest. */
const MAX_LANES = 256;

/** The profiles of a model's lanes, as they are stored. */
export interface LaneProfilesSnapshot {
  readonly seed: readonly RunSample[];
  readonly lanes: Readonly<Record<string, RunProfileSnapshot>>;
}

/** One `RunProfile` for each lane. A lane that was never seen starts from the seed. */
export class LaneProfiles {
  readonly #seed: readonly RunSample[];
  readonly #byLane = new Map<string, RunProfile>();

  /** @param seed What was measured at warm-up; the expectation for every lane. */
  constructor(seed: readonly RunSample[] = []) {
    this.#seed = seed;
  }

  static fromJSON(snapshot: LaneProfilesSnapshot): LaneProfiles {
    const profiles = new LaneProfiles(snapshot.seed);
    for (const [lane, profile] of Object.entries(snapshot.lanes)) {
      profiles.#set(lane, RunProfile.fromJSON(profile));
    }
    return profiles;
  }

  toJSON(): LaneProfilesSnapshot {
    const lanes = [...this.#byLane].map(([lane, profile]) => [lane, profile.toJSON()] as const);
    return { seed: this.#seed, lanes: Object.fromEntries(lanes) };
  }

  /** The profile of a lane, made if need be. */
  of(lane: string): RunProfile {
    return this.#byLane.get(lane) ?? this.#set(lane, new RunProfile(this.#seed));
  }

  /** Starts one lane from samples of its own, e.g. measured at warm-up with its shape. */
  seedLane(lane: string, samples: readonly RunSample[]): void {
    this.#set(lane, new RunProfile(samples));
  }

  #set(lane: string, profile: RunProfile): RunProfile {
    if (this.#byLane.size >= MAX_LANES && !this.#byLane.has(lane)) {
      const longestKnown = this.#byLane.keys().next().value;
      if (longestKnown !== undefined) this.#byLane.delete(longestKnown);
    }
    this.#byLane.set(lane, profile);
    return profile;
  }
}
