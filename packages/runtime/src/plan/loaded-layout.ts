import { type Runner, startRunner } from '../runner/runner.ts';
import type { LoadedModel, ProfilePoint, RunnerModel } from '../runner/runner-model.ts';
import type { RunnerEntryPoint } from '../runner/runner-process.ts';
import type { InstancePlan } from './candidate-plans.ts';
import type { OpenPlan } from './choose-plan.ts';

export interface LayoutOptions extends RunnerEntryPoint {
  readonly model: RunnerModel;
  /** Told what the first of its runners has loaded. */
  readonly onLoaded: (loaded: LoadedModel) => void;
  /** Ends the runners at once when it is aborted. */
  readonly signal: AbortSignal;
}

/** How long the runners of a layout are kept busy in a round; at least one run each. */
const ROUND_MS = 150;
/** Rows per second this close to the best are as good, with a smaller batch. */
const KNEE_TOLERANCE = 0.02;

/**
 * Loads a layout in processes like those that will serve.
 * @throws QuernError if one does not load, or if it is aborted
 */
export async function loadLayout(plan: InstancePlan, options: LayoutOptions): Promise<OpenPlan> {
  const { model, signal, onLoaded, ...entryPoint } = options;
  const runners = Array.from({ length: plan.instances }, () =>
    startRunner({ ...entryPoint, model: { ...model, threads: plan.threads } }),
  );
  const close = async (): Promise<void> => {
    signal.removeEventListener('abort', close);
    await Promise.all(runners.map((runner) => runner.close({ graceMs: 0 })));
  };
  signal.addEventListener('abort', close);
  try {
    const [first] = await Promise.all(runners.map((runner) => runner.ready));
    signal.throwIfAborted();
    if (first === undefined) throw new RangeError('a layout has at least one instance');
    onLoaded(first);
    signal.throwIfAborted();
    const rows = bestRows(first.warmupProfile);
    return { measure: () => measureTogether(runners, rows), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The smallest batch size that is about as good as the best; 1 if nothing is known. */
export function bestRows(profile: readonly ProfilePoint[]): number {
  const rate = ({ rows, timeMs }: ProfilePoint): number => rows / timeMs;
  const best = Math.max(...profile.map(rate));
  return profile.find((point) => rate(point) >= best * (1 - KNEE_TOLERANCE))?.rows ?? 1;
}

/** Rows per second of all runners, which run at the same time. */
async function measureTogether(runners: readonly Runner[], rows: number): Promise<number> {
  const startedAtMs = performance.now();
  const rates = runners.map(async (runner) => {
    let runs = 0;
    // Two batches at a time, as in serving: the next one is there when one ends.
    const keepBusy = async (): Promise<void> => {
      do {
        await runner.run({ batchId: 'measure', entries: [], control: true, controlRows: rows });
        runs += 1;
      } while (performance.now() - startedAtMs < ROUND_MS);
    };
    await Promise.all([keepBusy(), keepBusy()]);
    return (runs * rows * 1000) / (performance.now() - startedAtMs);
  });
  return (await Promise.all(rates)).reduce((sum, rate) => sum + rate, 0);
}
