import { type Clock, MemoryCap } from '@quern/batcher';
import type { RunnerBatch, RunnerBatchResult } from '@quern/runtime';
import { RunnerFault } from '@quern/runtime';
import type { Logger } from '@quern/service';
import type { BatchRunner } from './execute-batch.ts';
import type { VersionMeter } from './version-meter.ts';

/**
 * What batches of a version may cost; a change is logged and shown.
 * @param logger with the labels of the version
 */
export function memoryCapFor(
  { maxBatchElements }: { readonly maxBatchElements: number | null },
  { logger, meter }: { readonly logger: Logger; readonly meter: Pick<VersionMeter, 'memoryCap'> },
): MemoryCap {
  if (maxBatchElements !== null) meter.memoryCap(maxBatchElements);
  return new MemoryCap({
    maxElements: maxBatchElements ?? undefined,
    onChange: (maxElements) => {
      meter.memoryCap(maxElements);
      if (maxElements < Number.POSITIVE_INFINITY) {
        logger.warn({ maxElements }, 'Batches are kept within what memory has room for');
      } else {
        logger.info('Batches may be as large again as before memory ran out');
      }
    },
  });
}

/**
 * A runner that tells the cap of every run that failed for want of memory, also of those made to find
 * the predictions at fault: that is how a few failures find the size that fits.
 * @param elementsPerRow of the batch's widest entry
 */
export function watchMemory(
  runner: BatchRunner,
  cap: MemoryCap,
  elementsPerRow: number,
  clock: Pick<Clock, 'nowMs'>,
): BatchRunner {
  return {
    run: async (batch: RunnerBatch): Promise<RunnerBatchResult> => {
      try {
        return await runner.run(batch);
      } catch (error) {
        const rows = batch.entries.reduce((sum, entry) => sum + entry.rows, 0);
        const run = { rows, elementsPerRow };
        if (error instanceof RunnerFault && error.started) {
          if (error.code === 'OUT_OF_MEMORY') cap.outOfMemory(run, clock.nowMs());
          else if (error.maybeMemory) cap.suspectOutOfMemory(run, clock.nowMs());
        }
        throw error;
      }
    },
  };
}
