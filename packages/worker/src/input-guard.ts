import type { Outcome } from '@quern/batcher';
import { type QuernError, toQuernError } from '@quern/contract';
import {
  inputFingerprint,
  type JobResult,
  type PayloadStore,
  type QuarantinedInput,
  type QuarantineWatch,
  type QueuedPrediction,
  quarantinedError,
} from '@quern/queue';
import { RunnerFault } from '@quern/runtime';

/** So many runs of an input alone, each of which ended the process, put it in quarantine. */
const KILLS_UNTIL_QUARANTINE = 2;

/** What one worker's guards share. */
export interface QuarantineAccess {
  readonly watch: QuarantineWatch;
  readonly payloads: Pick<PayloadStore, 'read'>;
}

export interface InputGuardOptions extends QuarantineAccess {
  readonly model: string;
  readonly version: number;
  /** How long an input is refused, and a kill remembered; 0 refuses none. */
  readonly quarantineMs: number;
  /** Runs an input that is known to be good, where there is one; rejects if even that fails. */
  readonly control: () => Promise<void>;
  readonly onQuarantined: (input: QuarantinedInput) => void;
  /** Told when Redis cannot be asked; predictions run unguarded then. */
  readonly onError: (error: Error) => void;
}

type Predictions = readonly QueuedPrediction[];
type Run = (predictions: Predictions) => Promise<readonly Outcome<JobResult>[]>;

/**
 * Keeps inputs from killing runner after runner. An input *kills* when its run, alone, ends with the
 * process dying; in company nobody knows whose fault it was. After the second kill within the
 * quarantine time, on whichever workers, a control run asks whether the model dies of everything; if
 * not, the input is in quarantine: this prediction and all others with the same input are refused.
 */
export class InputGuard {
  readonly #options: InputGuardOptions;

  constructor(options: InputGuardOptions) {
    this.#options = options;
  }

  /** Runs predictions, those in quarantine left out; they fail with `INPUT_QUARANTINED`. */
  async run(predictions: Predictions, run: Run): Promise<readonly Outcome<JobResult>[]> {
    const { watch, model } = this.#options;
    if (!watch.isActive(model)) return this.#runAndJudge(predictions, run);
    const refusals = await Promise.all(predictions.map((one) => this.#refusalOf(one)));
    const sound = predictions.filter((_, i) => refusals[i] === undefined);
    const outcomes = sound.length === 0 ? [] : await this.#runAndJudge(sound, run);
    let next = 0;
    return refusals.map((error): Outcome<JobResult> => {
      if (error !== undefined) return { ok: false, error };
      return outcomes[next++] ?? { ok: false, error: new Error('a run lost an outcome') };
    });
  }

  async #runAndJudge(predictions: Predictions, run: Run): Promise<readonly Outcome<JobResult>[]> {
    try {
      return await run(predictions);
    } catch (error) {
      const [only] = predictions;
      const hasKilled =
        error instanceof RunnerFault && error.started && error.code === 'RUNNER_CRASHED';
      if (only === undefined || predictions.length > 1 || !hasKilled) throw error;
      const refusal = await this.#afterKill(only, error.message);
      if (refusal === undefined) throw error;
      return [{ ok: false, error: refusal }];
    }
  }

  async #refusalOf(prediction: QueuedPrediction): Promise<QuernError | undefined> {
    const { watch, model, version } = this.#options;
    const message = await this.#messageOf(prediction);
    return message === null ? undefined : watch.refusal(model, version, message);
  }

  /** The input's bytes; null if they are gone or Redis is away. */
  async #messageOf({ input }: QueuedPrediction): Promise<Uint8Array | null> {
    if ('inline' in input) return input.inline;
    try {
      const [message = null] = await this.#options.payloads.read([input.key]);
      return message;
    } catch (error) {
      this.#options.onError(toQuernError(error));
      return null;
    }
  }

  /** Counts a kill; the refusal if it was one too many. */
  async #afterKill(prediction: QueuedPrediction, how: string): Promise<QuernError | undefined> {
    const { watch, model, version, quarantineMs, onError } = this.#options;
    if (quarantineMs === 0) return undefined;
    const message = await this.#messageOf(prediction);
    if (message === null) return undefined;
    const fingerprint = inputFingerprint(model, version, message);
    try {
      const kills = await watch.store.countKill(model, fingerprint, quarantineMs);
      if (kills < KILLS_UNTIL_QUARANTINE) return undefined;
      if (!(await this.#isModelSound())) {
        await watch.store.forgetKills(model, fingerprint);
        return undefined;
      }
      return await this.#quarantine(fingerprint, how);
    } catch (error) {
      onError(toQuernError(error));
      return undefined;
    }
  }

  async #isModelSound(): Promise<boolean> {
    try {
      await this.#options.control();
      return true;
    } catch {
      return false;
    }
  }

  async #quarantine(fingerprint: string, reason: string): Promise<QuernError> {
    const { watch, model, version, quarantineMs, onQuarantined } = this.#options;
    const sinceMs = Date.now();
    const input = { fingerprint, version, reason, sinceMs, untilMs: sinceMs + quarantineMs };
    await watch.store.add(model, input);
    onQuarantined(input);
    // Before the next run here: others of the batch may bring the same input.
    await watch.refresh();
    return quarantinedError(model, input);
  }
}
