import {
  type Batch,
  Batcher,
  type BatcherOptions,
  type BatchingSettings,
  VirtualClock,
} from '../src/index.ts';
import { SimulatedInstances } from './simulated-instances.ts';

/** A batcher over one simulated instance on a virtual clock; a run takes 100 ms unless told otherwise. */
export function setUp(
  settings: Partial<BatchingSettings> = {},
  options: Partial<BatcherOptions<number, number>> & { timeMs?: (rows: number) => number } = {},
) {
  const clock = new VirtualClock();
  const instances = new SimulatedInstances<number>(clock, options.timeMs ?? (() => 100));
  const batcher = new Batcher<number, number>({
    settings: { mode: 'fixed', maxBatchSize: 4, maxQueueDelayMs: 0, ...settings },
    instances: 1,
    clock,
    run: instances.run,
    ...options,
  });
  return { clock, instances, batcher };
}

/** What is in a batch. */
export function payloads(batch: Batch<number> | undefined): number[] {
  return batch?.entries.map(({ payload }) => payload) ?? [];
}
