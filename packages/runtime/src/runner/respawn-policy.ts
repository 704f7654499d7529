/** When a runner that died is started again. */
export interface RespawnPolicy {
  /** The delay after a first failure; it doubles with each further one. */
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
  /** Loads that must fail in a row before the version counts as unhealthy. */
  readonly failuresUntilUnhealthy: number;
  /** The delay between tries of an unhealthy version, which a mended file can still bring back. */
  readonly unhealthyDelayMs: number;
}

export const DEFAULT_RESPAWN_POLICY: RespawnPolicy = {
  firstDelayMs: 100,
  maxDelayMs: 10_000,
  failuresUntilUnhealthy: 3,
  unhealthyDelayMs: 30_000,
};

/** How a slot of a pool has fared since it last did something useful. */
export interface Failures {
  /** Deaths in a row without a batch that succeeded in between. */
  readonly deaths: number;
  /** Of these, the loads that failed in a row. */
  readonly failedLoads: number;
}

/** The delay before the next start. */
export function respawnDelayMs(failures: Failures, policy: RespawnPolicy): number {
  if (failures.failedLoads >= policy.failuresUntilUnhealthy) return policy.unhealthyDelayMs;
  return Math.min(policy.firstDelayMs * 2 ** (failures.deaths - 1), policy.maxDelayMs);
}
