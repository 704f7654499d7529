import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';

/**
 * The cores that this process may use: those that it may be scheduled on, and no more than the share that
 * its container was given, which Node does not look at.
 */
export async function availableCores(cgroupRoot = '/sys/fs/cgroup'): Promise<number> {
  const [current, quota, period] = await Promise.all(
    ['cpu.max', 'cpu/cpu.cfs_quota_us', 'cpu/cpu.cfs_period_us'].map((name) =>
      readFile(`${cgroupRoot}/${name}`, 'utf8').catch(() => ''),
    ),
  );
  // Version 2 has both numbers in one file, with `max` for no limit; version 1 has -1 for that.
  const share = coresOf(current ?? '') ?? coresOf(`${quota} ${period}`);
  return Math.max(1, Math.floor(Math.min(availableParallelism(), share ?? Infinity)));
}

function coresOf(text: string): number | undefined {
  const [quota = Number.NaN, period = Number.NaN] = text.trim().split(/\s+/).map(Number);
  return quota > 0 && period > 0 ? quota / period : undefined;
}
