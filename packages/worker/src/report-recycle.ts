import type { RecycleEvent } from '@quern/runtime';
import type { Logger } from '@quern/service';
import type { VersionMeter } from './version-meter.ts';

const MIB = 1024 * 1024;

/** Counts and logs that an instance was replaced for its memory or age, or that it could not be. */
export function reportRecycle(
  { reason, vitals, failure }: RecycleEvent,
  to: {
    readonly meter: VersionMeter;
    readonly logger: Logger;
    readonly labels: { readonly model: string; readonly version: string };
  },
): void {
  const { meter, logger, labels } = to;
  const figures = {
    ...labels,
    reason,
    ageMs: Math.round(vitals.ageMs),
    memoryMb: Math.round(vitals.rssBytes / MIB),
    initialMemoryMb: Math.round(vitals.initialRssBytes / MIB),
  };
  const name = `${labels.model}:${labels.version}`;
  if (failure === undefined) {
    meter.recycled(reason);
    logger.info(figures, `An instance of ${name} was replaced for its ${reason}`);
  } else {
    logger.warn(figures, `An instance of ${name} serves on, its successor failed: ${failure}`);
  }
}
