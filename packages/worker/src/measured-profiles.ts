import { LaneProfiles } from '@quern/batcher';
import type { LoadedModel } from '@quern/runtime';
import { BATCH_OVERHEAD_MS } from './batch-overhead.ts';

/**
 * The profiles that the warm-up gives a version. What was measured at guessed dimensions would mislead about
 * real ones; what was measured with the largest buckets is known of that lane alone.
 */
export function measuredProfiles(loaded: LoadedModel): LaneProfiles {
  const { shapesGuessed, warmupProfile, warmupLane } = loaded;
  if (shapesGuessed) return new LaneProfiles([], BATCH_OVERHEAD_MS);
  if (warmupLane === undefined) return new LaneProfiles(warmupProfile, BATCH_OVERHEAD_MS);
  const profiles = new LaneProfiles([], BATCH_OVERHEAD_MS);
  profiles.seedLane(warmupLane, warmupProfile);
  return profiles;
}
