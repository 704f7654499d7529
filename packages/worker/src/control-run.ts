import { RunnerFault } from '@quern/runtime';
import type { BatchRunner } from './execute-batch.ts';

/** A control run whose runner died before it began says nothing: it is made again this often. */
const MAX_HANDOVERS = 5;

/**
 * Runs the input of the warm-up, which is known to be good.
 * @throws RunnerFault if even that fails, or there is no runner for it
 */
export async function runControl(runner: BatchRunner): Promise<void> {
  for (let handovers = 0; ; handovers++) {
    try {
      await runner.run({ batchId: 'control', entries: [], control: true });
      return;
    } catch (error) {
      const saysNothing =
        error instanceof RunnerFault && !error.started && error.code === 'RUNNER_CRASHED';
      if (!saysNothing || handovers === MAX_HANDOVERS) throw error;
    }
  }
}
