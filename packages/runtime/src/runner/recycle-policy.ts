/** Why a runner is replaced although it works. */
export type RecycleReason = 'memory' | 'age';

/** When a runner is replaced although it works. */
export interface RecyclePolicy {
  /**
   * How many bytes its memory may grow after the warm-up. `auto` allows 512 MiB, or once more what it
   * had then if that is more: the first large batches of a healthy model make it grow, too.
   *
   * @default 'auto'
   */
  readonly maxMemoryGrowthBytes: number | 'auto' | 'off';
  /** @default 'off' */
  readonly maxAgeMs: number | 'off';
  /**
   * After a recycle of a pool the next one has to wait for this many times what it took, so that a model
   * whose memory grows quickly is not loaded all the time. A successor that fails to load doubles it.
   *
   * @default 10
   */
  readonly pauseFactor: number;
}

export const DEFAULT_RECYCLE_POLICY: RecyclePolicy = {
  maxMemoryGrowthBytes: 'auto',
  maxAgeMs: 'off',
  pauseFactor: 10,
};

/** What is known of a ready runner's process. */
export interface RunnerVitals {
  readonly ageMs: number;
  /** Resident memory right after the warm-up. */
  readonly initialRssBytes: number;
  readonly rssBytes: number;
}

const MIN_GROWTH_BYTES = 512 * 1024 * 1024;

/** Why a runner is due to be replaced; undefined if it is not. Memory goes before age. */
export function recycleReason(
  { ageMs, initialRssBytes, rssBytes }: RunnerVitals,
  { maxMemoryGrowthBytes, maxAgeMs }: RecyclePolicy,
): RecycleReason | undefined {
  if (maxMemoryGrowthBytes !== 'off') {
    const automatic = Math.max(MIN_GROWTH_BYTES, initialRssBytes);
    const allowed = maxMemoryGrowthBytes === 'auto' ? automatic : maxMemoryGrowthBytes;
    if (rssBytes - initialRssBytes > allowed) return 'memory';
  }
  return maxAgeMs !== 'off' && ageMs >= maxAgeMs ? 'age' : undefined;
}
