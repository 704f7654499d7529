import type { LoadedModel, RunnerModel } from '../runner/runner-model.ts';
import type { RunnerEntryPoint } from '../runner/runner-process.ts';
import {
  candidatePlans,
  type InstancePlan,
  unmeasuredPlan,
  type WantedInstances,
} from './candidate-plans.ts';
import { choosePlan, type PlanTrial } from './choose-plan.ts';
import { loadLayout } from './loaded-layout.ts';

export interface MeasurePlanOptions {
  readonly runnerEntry: RunnerEntryPoint;
  /** Its `threads` do not matter. */
  readonly model: RunnerModel;
  readonly wanted: WantedInstances;
  /** Cores that the instances may use together. */
  readonly cores: number;
  /** Loading included. */
  readonly budgetMs: number;
  /** Ends it early. */
  readonly signal: AbortSignal;
}

export interface MeasuredPlan extends InstancePlan {
  readonly trials: readonly PlanTrial[];
  /** Whether every candidate was compared; if not, another time may find a better one. */
  readonly isComplete: boolean;
  /** Why the plan is not measured; undefined if it is. */
  readonly unmeasured?: string;
}

/** The batch size's profile need not be fine here. */
const WARM_UP_BUDGET_MS = 500;

/**
 * Finds how many processes with how many threads give a model the most rows per second on so many cores,
 * by running it: see `choosePlan`. On a GPU it is one instance, without measuring. What cannot be
 * measured, for want of time or because the model does not load, gets 1 for what is `auto`.
 */
export async function measurePlan(options: MeasurePlanOptions): Promise<MeasuredPlan> {
  const { wanted, cores, budgetMs } = options;
  const candidates = candidatePlans(wanted, cores);
  const [only] = candidates;
  if (candidates.length === 1 && only !== undefined) {
    return { ...only, trials: [], isComplete: true };
  }
  const model = modelToMeasure(options.model);
  const other = new AbortController();
  const signal = AbortSignal.any([options.signal, other.signal, AbortSignal.timeout(budgetMs)]);
  const chosen = await choosePlan({
    candidates,
    signal,
    open: (plan) =>
      loadLayout(plan, {
        ...options.runnerEntry,
        model,
        signal,
        onLoaded: (loaded) => {
          const reason = whyNotMeasured(loaded);
          if (reason !== undefined) other.abort(reason);
        },
      }),
  });
  const { trials, isComplete } = chosen;
  if (other.signal.aborted) {
    const unmeasured = String(other.signal.reason);
    return { ...unmeasuredPlan(wanted), trials, isComplete: true, unmeasured };
  }
  if (chosen.plan !== undefined) return { ...chosen.plan, trials, isComplete };
  const unmeasured = `no two layouts could be compared within ${budgetMs} ms (instances.measureBudgetMs in model.yaml)`;
  return { ...unmeasuredPlan(wanted), trials, isComplete, unmeasured };
}

function modelToMeasure(model: RunnerModel): RunnerModel {
  const budgetMs = Math.min(model.warmup.budgetMs, WARM_UP_BUDGET_MS);
  return { ...model, warmup: { ...model.warmup, budgetMs } };
}

function whyNotMeasured({ executionProvider, canControl }: LoadedModel): string | undefined {
  if (executionProvider !== 'cpu') return `it runs on ${executionProvider}`;
  return canControl ? undefined : 'without a warm-up there is no input to run';
}
