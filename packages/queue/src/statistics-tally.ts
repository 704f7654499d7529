import { countedRows, FIELDS, type Timed } from './statistics-record.ts';

/** A run that went through. */
export interface TalliedRun {
  readonly rows: number;
  readonly predictions: number;
  /** Mean of the predictions. */
  readonly meanQueueMs: number;
  readonly collateMs: number;
  readonly inferenceMs: number;
  readonly splitMs: number;
  readonly storeMs: number;
}

const NS_PER_MS = 1_000_000;

/** What one worker has to add to a version's figures; see `VersionStatistics`. */
export class StatisticsTally {
  #added = new Map<string, number>();
  #lastInferenceMs = 0;
  readonly #onChange: () => void;

  /** @param onChange called when there is something to add */
  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  ran(run: TalliedRun, endedAtMs: number): void {
    const { predictions } = run;
    const timesMs = {
      compute_input: run.collateMs,
      compute_infer: run.inferenceMs,
      compute_output: run.splitMs + run.storeMs,
    };
    const size = countedRows(run.rows);
    this.#add(FIELDS.rows, run.rows);
    this.#add(FIELDS.batches, 1);
    this.#add(FIELDS.batchCount(size), 1);
    this.#addTimed('queue', predictions, run.meanQueueMs * predictions);
    for (const timed of ['compute_input', 'compute_infer', 'compute_output'] as const) {
      this.#addTimed(timed, predictions, timesMs[timed] * predictions);
      this.#add(FIELDS.batchNs(size, timed), timesMs[timed] * NS_PER_MS);
    }
    this.#lastInferenceMs = Math.max(this.#lastInferenceMs, Math.round(endedAtMs));
    this.#onChange();
  }

  /** @param totalMs from acceptance to this end */
  ended(how: 'success' | 'fail', totalMs: number): void {
    this.#addTimed(how, 1, totalMs);
    this.#onChange();
  }

  #addTimed(timed: Timed, count: number, timeMs: number): void {
    this.#add(FIELDS.count(timed), count);
    this.#add(FIELDS.ns(timed), timeMs * NS_PER_MS);
  }

  #add(field: string, amount: number): void {
    this.#added.set(field, (this.#added.get(field) ?? 0) + Math.max(0, Math.round(amount)));
  }

  /** Hands over what has come together, and begins anew. */
  take(): { readonly added: ReadonlyMap<string, number>; readonly lastInferenceMs: number } {
    const added = this.#added;
    this.#added = new Map();
    return { added, lastInferenceMs: this.#lastInferenceMs };
  }
}
