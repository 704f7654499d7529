import type { Policy, World } from '../world.ts';
import { WaitingJobs } from './waiting-jobs.ts';

/** After Triton's priority levels: a level runs only when no higher one waits. */
export const strictPriority: Policy = {
  name: 'Triton, priority levels',
  start: ({ clock, instances, tunedBatchSize, run }: World) => {
    const levels = [new WaitingJobs(), new WaitingJobs(), new WaitingJobs()] as const;
    const free = Array.from({ length: instances }, (_, instance) => instance);
    const dispatch = (): void => {
      while (free.length > 0) {
        const jobs = [];
        for (const level of levels) {
          jobs.push(...level.takeUnexpired(tunedBatchSize - jobs.length, clock.nowMs()));
        }
        const instance = jobs.length > 0 ? free.pop() : undefined;
        if (instance === undefined) return;
        run(instance, jobs, () => {
          free.push(instance);
          dispatch();
        });
      }
    };
    return (job) => {
      levels[job.priority].add(job);
      dispatch();
    };
  },
};
