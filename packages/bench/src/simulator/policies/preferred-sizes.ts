import type { Policy, World } from '../world.ts';
import { WaitingJobs } from './waiting-jobs.ts';

/** The delay as a share of the best batch's time. */
const DELAY_SHARE = 0.1;

/**
 * After Triton's dynamic batcher: with an instance free it sends a batch of the largest preferred size
 * that can be filled, and waits for one until the oldest request has waited the delay; then it sends
 * what there is. Requests past their timeout are rejected when a batch forms. Preferred: the best size
 * and its half; the largest batch: the best size.
 */
export const preferredSizes: Policy = {
  name: 'Triton',
  start: (world: World) => {
    const { clock, tunedBatchSize: max, profile } = world;
    const delayMs = profile.timeMs(max) * DELAY_SHARE;
    const preferred = [...new Set([max, Math.max(1, max >> 1)])];
    const waiting = new WaitingJobs();
    const free = Array.from({ length: world.instances }, (_, instance) => instance);
    let cancelTimer: (() => void) | undefined;
    const send = (count: number): void => {
      const jobs = waiting.takeUnexpired(count, clock.nowMs());
      const instance = jobs.length > 0 ? free.pop() : undefined;
      if (instance === undefined) return;
      world.run(instance, jobs, () => {
        free.push(instance);
        decide();
      });
    };
    const decide = (): void => {
      cancelTimer?.();
      cancelTimer = undefined;
      while (free.length > 0) {
        waiting.dropExpired(clock.nowMs());
        const { oldest } = waiting;
        if (oldest === undefined) return;
        const size = preferred.find((count) => waiting.size >= count);
        const delayEndsAtMs = oldest.arrivedAtMs + delayMs;
        if (size === undefined && clock.nowMs() < delayEndsAtMs) {
          cancelTimer = clock.setTimer(delayEndsAtMs, decide);
          return;
        }
        send(size ?? max);
      }
    };
    return (job) => {
      waiting.add(job);
      decide();
    };
  },
};
