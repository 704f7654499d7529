import type { Job, Policy, World } from '../world.ts';

/** Rows added to a replica's limit after each full batch that kept the latency goal. */
const STEP_ROWS = 1;
const BACK_OFF = 0.9;

/**
 * After Clipper: requests wait in one queue by deadline, those past it are dropped, and each replica
 * takes batches up to a limit of its own, which grows by a constant while they keep the latency goal
 * and shrinks by a tenth when one does not. Nothing waits for company.
 */
export const additiveIncrease: Policy = {
  name: 'Clipper',
  start: (world: World) => {
    const waiting = new DeadlineQueue();
    const limits = Array.from({ length: world.instances }, () => 1);
    const free = limits.map((_, instance) => instance);
    const learn = (instance: number, rows: number, runMs: number): void => {
      const limit = limits[instance] ?? 1;
      // The time that is left for the run, if as much was spent on waiting for the one before.
      if (runMs > world.latencyGoalMs / 2) limits[instance] = Math.max(1, limit * BACK_OFF);
      else if (rows >= Math.floor(limit)) {
        limits[instance] = Math.min(world.tunedBatchSize, limit + STEP_ROWS);
      }
    };
    const dispatch = (): void => {
      for (;;) {
        const instance = free.at(-1);
        if (instance === undefined) return;
        const jobs = waiting.take(Math.floor(limits[instance] ?? 1), world.clock.nowMs());
        if (jobs.length === 0) return;
        free.pop();
        world.run(instance, jobs, (runMs) => {
          learn(instance, jobs.length, runMs);
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

/** Requests by deadline, those without one behind all others, in order of arrival. */
class DeadlineQueue {
  readonly #heap: Job[] = [];

  add(job: Job): void {
    const heap = this.#heap;
    let index = heap.length;
    heap.push(job);
    while (index > 0) {
      const above = (index - 1) >> 1;
      const other = heap[above];
      if (other === undefined || !isBefore(job, other)) break;
      heap[index] = other;
      heap[above] = job;
      index = above;
    }
  }

  take(count: number, nowMs: number): Job[] {
    const taken: Job[] = [];
    while (taken.length < count) {
      const job = this.#pop();
      if (job === undefined) break;
      if (job.deadlineAtMs > nowMs) taken.push(job);
    }
    return taken;
  }

  #pop(): Job | undefined {
    const heap = this.#heap;
    const [top] = heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return top;
    let index = 0;
    for (;;) {
      const [left, right] = [heap[2 * index + 1], heap[2 * index + 2]];
      const rightFirst = left !== undefined && right !== undefined && isBefore(right, left);
      const child = rightFirst ? right : left;
      if (child === undefined || !isBefore(child, last)) break;
      heap[index] = child;
      index = 2 * index + (rightFirst ? 2 : 1);
    }
    heap[index] = last;
    return top;
  }
}

function isBefore(a: Job, b: Job): boolean {
  if (a.deadlineAtMs !== b.deadlineAtMs) return a.deadlineAtMs < b.deadlineAtMs;
  return a.arrivedAtMs < b.arrivedAtMs;
}
