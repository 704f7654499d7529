import type { InstancePlan } from './candidate-plans.ts';

/** A layout whose processes are loaded and ready to be measured. */
export interface OpenPlan {
  /** Runs all its processes at once for a moment and says how many rows per second came out. */
  measure(): Promise<number>;
  /** Ends its processes. */
  close(): Promise<void>;
}

export interface PlanTrial extends InstancePlan {
  /** The best of its rounds. */
  readonly rowsPerSecond: number;
}

export interface ChosenPlan {
  /** Undefined if not even two could be compared. */
  readonly plan: InstancePlan | undefined;
  /** Those that were compared. */
  readonly trials: readonly PlanTrial[];
  /** False if candidates were left out for want of time or because they did not load. */
  readonly isComplete: boolean;
}

export interface PlanChoice {
  readonly candidates: readonly InstancePlan[];
  /** Loads a layout. */
  readonly open: (plan: InstancePlan) => Promise<OpenPlan>;
  /** When it is aborted, what is known by then decides. */
  readonly signal: AbortSignal;
}

/** Rounds in which two layouts take turns. */
const ROUNDS = 6;
/** More processes are more memory: they must bring this much. */
const WORTH_MORE_PROCESSES = 1.05;

/**
 * Finds the layout with the most rows per second, by comparing two at a time: the best so far and a
 * challenger. Both are loaded and take turns, so that a machine that is busy with something else for a
 * while slows both, and of each the best round counts. At no time more than two are loaded. Of two that
 * are within 5 %, the one with fewer processes wins.
 */
export async function choosePlan({ candidates, open, signal }: PlanChoice): Promise<ChosenPlan> {
  const trials = new Map<InstancePlan, PlanTrial>();
  let best: { plan: InstancePlan; opened: OpenPlan } | undefined;
  let winner: InstancePlan | undefined;
  let failures = 0;
  for (const plan of candidates) {
    if (signal.aborted) break;
    const opened = await open(plan).catch(() => undefined);
    if (opened === undefined) {
      failures += 1;
      continue;
    }
    if (best === undefined) {
      best = { plan, opened };
      continue;
    }
    const rates = await compare(best.opened, opened, signal).catch(() => undefined);
    if (rates === undefined) {
      failures += 1;
      await opened.close();
      continue;
    }
    const [bestRate, rate] = rates;
    trials.set(best.plan, { ...best.plan, rowsPerSecond: bestRate });
    trials.set(plan, { ...plan, rowsPerSecond: rate });
    const loser = isBetter(plan, rate, best.plan, bestRate) ? best : { plan, opened };
    if (loser === best) best = { plan, opened };
    winner = best.plan;
    await loser.opened.close();
  }
  await best?.opened.close();
  return {
    plan: winner,
    trials: [...trials.values()],
    isComplete: failures === 0 && trials.size === candidates.length,
  };
}

/** The best round of each; undefined if there was no time for one. */
async function compare(
  a: OpenPlan,
  b: OpenPlan,
  signal: AbortSignal,
): Promise<[number, number] | undefined> {
  let rates: [number, number] | undefined;
  for (let round = 0; round < ROUNDS && !signal.aborted; round++) {
    const rateOfA = await a.measure();
    if (signal.aborted) break;
    const rateOfB = await b.measure();
    rates = [Math.max(rates?.[0] ?? 0, rateOfA), Math.max(rates?.[1] ?? 0, rateOfB)];
  }
  return rates;
}

function isBetter(plan: InstancePlan, rate: number, best: InstancePlan, bestRate: number): boolean {
  if (plan.instances > best.instances) return rate > bestRate * WORTH_MORE_PROCESSES;
  if (plan.instances < best.instances) return rate * WORTH_MORE_PROCESSES >= bestRate;
  return rate > bestRate;
}
