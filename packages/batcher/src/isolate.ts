import type { Outcome } from './entry.ts';

/**
 * - `clean`: the first run went through.
 * - `isolated`: the entries that fail alone have failed alone, the others succeeded.
 * - `model_fault`: the control run failed too, so it is not the entries' fault.
 * - `stopped`: an error came that bisecting cannot help against.
 */
export type IsolateVerdict = 'clean' | 'isolated' | 'model_fault' | 'stopped';

export interface IsolateOptions {
  /** Whether a smaller run may help: not if there is no runner left, or the process is stopping. */
  readonly bisectable: (error: unknown) => boolean;
  /**
   * Runs an input that is known to be good, e.g. the one of the warm-up; rejects if even that fails.
   *
   * @default none: a fault of the model itself then costs 2n - 2 reruns
   */
  readonly control?: () => Promise<void>;
}

export interface IsolateResult<R> {
  /** One per entry, in the same order. */
  readonly outcomes: readonly Outcome<R>[];
  readonly verdict: IsolateVerdict;
  /** Runs after the first, the control run included. */
  readonly reruns: number;
}

/**
 * Runs entries together; if the run fails as a whole, halves it until those that fail are alone.
 *
 * For g guilty entries among n it takes at most 2 * g * ceil(log2 n) reruns. When the first half of a
 * failed group succeeds, the second must hold the fault and is halved without being run, and every
 * entry that ends up failing was run alone: a fault that passes, or one of the size alone, fails nobody.
 *
 * A fault of the model looks like n guilty entries, and no number of failed probes tells the two
 * apart: the next entry may be innocent. A control run can. It is made once, as soon as both halves
 * of the whole have failed; if it fails, all entries fail with the first error at a cost of three
 * reruns, and if it succeeds the entries are at fault, however many. A success says the same for free.
 *
 * `run` resolves to an outcome for each entry that it was given (a failed one is final) or rejects.
 */
export async function runIsolating<E, R>(
  entries: readonly E[],
  run: (entries: readonly E[]) => Promise<readonly Outcome<R>[]>,
  options: IsolateOptions,
): Promise<IsolateResult<R>> {
  return new Isolation(entries, run, options).result();
}

/** The entries from `start` to before `end`. */
interface Span {
  readonly start: number;
  readonly end: number;
}

class Isolation<E, R> {
  readonly #entries: readonly E[];
  readonly #run: (entries: readonly E[]) => Promise<readonly Outcome<R>[]>;
  readonly #options: IsolateOptions;
  readonly #outcomes: (Outcome<R> | undefined)[];
  #runs = 0;
  #verdict: IsolateVerdict = 'clean';
  /** What entries fail with that were not run alone, because isolation ended before. */
  #restError: unknown;
  /** Nothing has gone through yet, and no control run was made. */
  #modelSuspect = true;

  constructor(
    entries: readonly E[],
    run: (entries: readonly E[]) => Promise<readonly Outcome<R>[]>,
    options: IsolateOptions,
  ) {
    this.#entries = entries;
    this.#run = run;
    this.#options = options;
    this.#outcomes = entries.map(() => undefined);
  }

  async result(): Promise<IsolateResult<R>> {
    const whole = { start: 0, end: this.#entries.length };
    if (whole.end > 0 && !(await this.#succeeds(whole))) await this.#halve(whole);
    const rest: Outcome<R> = { ok: false, error: this.#restError };
    return {
      outcomes: this.#outcomes.map((outcome) => outcome ?? rest),
      verdict: this.#verdict,
      reruns: Math.max(0, this.#runs - 1),
    };
  }

  get #isOver(): boolean {
    return this.#verdict === 'stopped' || this.#verdict === 'model_fault';
  }

  /** Gives every entry of a span that fails as a whole its outcome, unless it is all over. */
  async #halve({ start, end }: Span): Promise<void> {
    if (this.#isOver || end - start < 2) return;
    const middle = start + Math.ceil((end - start) / 2);
    const first = { start, end: middle };
    const second = { start: middle, end };
    const firstSucceeds = await this.#succeeds(first);
    if (this.#isOver) return;
    // With the first half sound the fault is in the second: run it whole only if that is one entry.
    const secondSucceeds = (!firstSucceeds || end - middle === 1) && (await this.#succeeds(second));
    if (end - start > 2) await this.#suspectModel();
    if (!firstSucceeds) await this.#halve(first);
    if (!secondSucceeds) await this.#halve(second);
  }

  /** Runs a span as a whole and keeps the outcomes; an error is kept for a single entry. */
  async #succeeds({ start, end }: Span): Promise<boolean> {
    this.#runs += 1;
    try {
      const outcomes = await this.#run(this.#entries.slice(start, end));
      if (outcomes.length !== end - start) {
        throw new Error(`a run of ${end - start} entries returned ${outcomes.length} outcomes`);
      }
      for (const [index, outcome] of outcomes.entries()) this.#outcomes[start + index] = outcome;
      this.#modelSuspect = false;
      return true;
    } catch (error) {
      this.#failed({ start, end }, error);
      return false;
    }
  }

  #failed({ start, end }: Span, error: unknown): void {
    if (this.#runs === 1) this.#restError = error;
    if (end - start === 1) this.#outcomes[start] = { ok: false, error };
    if (this.#options.bisectable(error)) {
      this.#verdict = 'isolated';
    } else {
      this.#verdict = 'stopped';
      this.#restError = error;
    }
  }

  /** Makes the control run, once, if there is one and nothing has gone through. */
  async #suspectModel(): Promise<void> {
    const { control } = this.#options;
    if (this.#isOver || !this.#modelSuspect || control === undefined) return;
    this.#modelSuspect = false;
    this.#runs += 1;
    try {
      await control();
    } catch {
      this.#verdict = 'model_fault';
    }
  }
}
