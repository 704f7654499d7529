import { UsageError } from '../exit-codes.ts';
import type { ModelView } from '../models/model-view.ts';

/** What one instance runs, and how that is known. */
export interface InstanceRate {
  readonly rowsPerSecond: number;
  /** The kind of device that it was measured on. */
  readonly device: string;
}

/**
 * Rows per second of one instance at its best batch size, of the model's newest version: of the shape
 * that was run most often, or as measured at warm-up.
 * @param model with its profiles
 * @throws UsageError if nothing is known of its run times
 */
export function instanceRateOf({ name, versions }: ModelView): InstanceRate {
  const profiles = versions.flatMap(({ profiles: known = [] }) => known);
  for (const { device, lanes, warm_up: warmUp } of profiles) {
    const byRuns = lanes.toSorted((a, b) => runsOf(b.sizes) - runsOf(a.sizes));
    const sizes = byRuns[0]?.sizes ?? warmUp.sizes;
    const rowsPerSecond = Math.max(0, ...sizes.map((size) => size.rows_per_second));
    if (rowsPerSecond > 0) return { rowsPerSecond, device };
  }
  throw new UsageError(
    `Nothing is known of the run times of ${name} yet. Run it for a while, or give --instance-rate.`,
  );
}

function runsOf(sizes: readonly { readonly runs: number }[]): number {
  return sizes.reduce((sum, { runs }) => sum + runs, 0);
}
