import type { Policy, World } from '../world.ts';
import { WaitingJobs } from './waiting-jobs.ts';

/**
 * After Text Embeddings Inference: as soon as an instance is free it takes what waits, in order, up to
 * a limit on the batch's cost; nothing waits for company. Callers that have gone are passed over.
 * Given more than it has: one queue for all instances, and the best limit for the model.
 */
export const workConserving: Policy = {
  name: 'TEI',
  start: (world: World) => {
    const waiting = new WaitingJobs();
    const free = Array.from({ length: world.instances }, (_, instance) => instance);
    const dispatch = (): void => {
      while (free.length > 0 && waiting.size > 0) {
        const jobs = waiting.takeUnexpired(world.tunedBatchSize, world.clock.nowMs());
        const instance = jobs.length > 0 ? free.pop() : undefined;
        if (instance === undefined) return;
        world.run(instance, jobs, () => {
          free.push(instance);
          dispatch();
        });
      }
    };
    return (job) => {
      waiting.add(job);
      dispatch();
    };
  },
};
