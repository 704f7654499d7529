import { isTerminal, type Prediction } from './prediction.ts';
import type { PredictionCalls, WaitOptions } from './prediction-calls.ts';
import { PredictionError } from './prediction-error.ts';

/** A prediction that was accepted: it is in Redis, and will end whatever becomes of this process. */
export class PredictionHandle<Output = unknown> {
  readonly id: string;
  /** As it was when it was accepted. */
  readonly accepted: Prediction<Output>;
  readonly #calls: PredictionCalls;

  constructor(calls: PredictionCalls, accepted: Prediction) {
    this.#calls = calls;
    this.id = accepted.id;
    this.accepted = accepted as Prediction<Output>;
  }

  /** The prediction as it is now. */
  get(options: { readonly signal?: AbortSignal } = {}): Promise<Prediction<Output>> {
    return this.#calls.get(this.id, options.signal) as Promise<Prediction<Output>>;
  }

  /**
   * The prediction once it has ended, however that was.
   * @throws WaitTimeoutError when `timeoutMs` is over first
   */
  async wait(options: WaitOptions = {}): Promise<Prediction<Output>> {
    if (isTerminal(this.accepted.status)) return this.accepted;
    return (await this.#calls.wait(this.id, options)) as Prediction<Output>;
  }

  /**
   * Its output, once it has succeeded.
   * @throws PredictionError if it ended otherwise, WaitTimeoutError when `timeoutMs` is over first
   */
  async output(options: WaitOptions = {}): Promise<Output> {
    return outputOf(await this.wait(options));
  }

  /** Its statuses, each once, from the one it has now up to the final one. */
  stream(
    options: { readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<Prediction<Output>, void> {
    const states = this.#calls.stream(this.id, options.signal);
    return states as AsyncGenerator<Prediction<Output>, void>;
  }

  /** Cancels it; what had ended before stays as it is. */
  cancel(options: { readonly signal?: AbortSignal } = {}): Promise<Prediction<Output>> {
    return this.#calls.cancel(this.id, options.signal) as Promise<Prediction<Output>>;
  }
}

/** @throws PredictionError unless it has succeeded and its output is there */
export function outputOf<Output>(prediction: Prediction<Output>): Output {
  if (prediction.output === null) throw new PredictionError(prediction);
  return prediction.output;
}
