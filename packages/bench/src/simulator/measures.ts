import { percentile } from '../summary.ts';
import type { Job } from './world.ts';

/** What a policy achieved in a cell. */
export interface Measures {
  /** Results per second that came in time; one that has no deadline always does. */
  readonly usefulPerSecond: number;
  /** Of the requests with a deadline, the share whose result came before it; 1 if none has one. */
  readonly kept: number;
  /** Of those that have a result, from arrival to result. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** The longest that anyone with a result waited for it: what the worst treated got. */
  readonly longestMs: number;
}

/**
 * Throughput counts all results that came before `untilMs`, the last arrival; all else the requests that
 * arrived after `fromMs`, when policies that learn have learnt.
 */
export function measure(
  jobs: readonly Job[],
  { fromMs, untilMs }: { readonly fromMs: number; readonly untilMs: number },
): Measures {
  const latenciesMs: number[] = [];
  let useful = 0;
  let withDeadline = 0;
  let kept = 0;
  for (const { arrivedAtMs, deadlineAtMs, endedAtMs } of jobs) {
    const inTime = endedAtMs !== undefined && endedAtMs <= deadlineAtMs;
    if (inTime && endedAtMs <= untilMs) useful += 1;
    if (arrivedAtMs < fromMs) continue;
    if (endedAtMs !== undefined) latenciesMs.push(endedAtMs - arrivedAtMs);
    if (deadlineAtMs === Number.POSITIVE_INFINITY) continue;
    withDeadline += 1;
    if (inTime) kept += 1;
  }
  latenciesMs.sort((a, b) => a - b);
  return {
    usefulPerSecond: (useful * 1000) / untilMs,
    kept: withDeadline === 0 ? 1 : kept / withDeadline,
    p50Ms: percentile(latenciesMs, 0.5),
    p99Ms: percentile(latenciesMs, 0.99),
    longestMs: latenciesMs.at(-1) ?? 0,
  };
}
