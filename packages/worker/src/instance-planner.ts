import { stat } from 'node:fs/promises';
import { cpus } from 'node:os';
import type { InstancePlanStore } from '@quern/queue';
import {
  type InstancePlan,
  type MeasuredPlan,
  type ModelVersion,
  measurePlan,
  type RepositoryModel,
  type RunnerEntryPoint,
  toRunnerModel,
} from '@quern/runtime';
import type { Logger } from '@quern/service';

export interface InstancePlannerOptions {
  readonly store: Pick<InstancePlanStore, 'load' | 'save'>;
  /** The cores that this worker may use. */
  readonly cores: () => Promise<number>;
  readonly logger: Logger;
  /** Replaced in tests. */
  readonly measure?: typeof measurePlan;
}

/** A model version whose instances are to be laid out. */
export interface ToPlace {
  readonly model: RepositoryModel;
  readonly version: ModelVersion;
  readonly runnerEntry: RunnerEntryPoint;
  readonly signal: AbortSignal;
}

/**
 * Finds out what `auto` in `instances` is for a model version on this machine: from an earlier measurement
 * if there is one, else by measuring. One version is measured at a time, as if it had all cores of the
 * worker: several models share them, and which of them is busy changes.
 */
export class InstancePlanner {
  readonly #options: InstancePlannerOptions;
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: InstancePlannerOptions) {
    this.#options = options;
  }

  async plan(place: ToPlace): Promise<InstancePlan> {
    const { count, threads } = place.model.config.instances;
    if (count !== 'auto' && threads !== 'auto') return { instances: count, threads };
    const { store, logger } = this.#options;
    const cores = await this.#options.cores();
    const conditions = await conditionsOf(place, cores);
    const stored = await store.load(place.model.name, conditions);
    const labels = { model: place.model.name, version: String(place.version.version), cores };
    if (stored !== undefined) {
      logger.info({ ...labels, ...stored }, 'Instances as measured earlier');
      return stored;
    }
    const measured = await this.#measureInTurn(place, cores);
    const { trials, isComplete, unmeasured, ...plan } = measured;
    if (place.signal.aborted) return plan;
    logger.info(
      { ...labels, ...plan, trials, ...(unmeasured !== undefined && { reason: unmeasured }) },
      unmeasured === undefined ? 'Instances measured' : 'Instances not measured',
    );
    await store.save(place.model.name, conditions, plan, isComplete);
    return plan;
  }

  #measureInTurn(place: ToPlace, cores: number): Promise<MeasuredPlan> {
    const turn = this.#last.then(() => measure(place, cores, this.#options.measure ?? measurePlan));
    this.#last = turn.catch(() => {});
    return turn;
  }
}

function measure(
  { model, version, runnerEntry, signal }: ToPlace,
  cores: number,
  measureWith: typeof measurePlan,
): Promise<MeasuredPlan> {
  const { instances, batching } = model.config;
  const runnerModel = toRunnerModel(model, version);
  return measureWith({
    runnerEntry,
    // Without batching one row is what a run will have.
    model: batching.mode === 'off' ? { ...runnerModel, maxBatchSize: 1 } : runnerModel,
    wanted: instances,
    cores,
    budgetMs: instances.measureBudgetMs,
    signal,
  });
}

/** Everything that the best layout depends on. */
async function conditionsOf({ model, version }: ToPlace, cores: number): Promise<string> {
  const { batching, instances, executionProviders, warmup } = model.config;
  const { size } = await stat(version.modelPath);
  return [
    version.version,
    `${size} bytes`,
    `${cores} cores`,
    cpus()[0]?.model ?? 'unknown',
    executionProviders.join(','),
    `${batching.mode} ${batching.maxBatchSize}`,
    `${instances.count}x${instances.threads}`,
    `${instances.measureBudgetMs} ms`,
    warmup.enabled ? 'warm' : 'cold',
  ].join('|');
}
