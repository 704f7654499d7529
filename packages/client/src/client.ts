import type { PredictManyOptions, PredictOptions, QuernClientOptions } from './client-options.ts';
import { badAnswer, QuernError, WaitTimeoutError } from './errors.ts';
import { HttpTransport } from './http-transport.ts';
import { type ModelInfo, modelFromWire } from './model-info.ts';
import { type ManyResult, runMany } from './predict-many.ts';
import { isRecord, isTerminal, type Prediction } from './prediction.ts';
import {
  type ListOptions,
  PredictionCalls,
  type SubmitOptions,
  segment,
  type WaitOptions,
} from './prediction-calls.ts';
import { outputOf, PredictionHandle } from './prediction-handle.ts';
import { randomId } from './random-id.ts';
import type { Input } from './tensor-to-wire.ts';
import { limitTime } from './time-limit.ts';
import type {
  AnyModels,
  ModelName,
  ModelOf,
  PlainInputs,
  PlainOutputs,
  TensorInputs,
  TensorOutputs,
} from './typed-models.ts';

const DEFAULT_TIMEOUT_MS = 30_000;
const DEFAULT_RETRIES = 4;
const DEFAULT_CONCURRENCY = 32;
const CANCEL_TIMEOUT_MS = 5000;

type AnyInputs = Readonly<Record<string, Input>>;
type Inputs<T> = Iterable<T> | AsyncIterable<T>;
interface Signal {
  readonly signal?: AbortSignal;
}

/**
 * A client of Quern's HTTP API. It holds no connection of its own, so there is nothing to close.
 *
 * Every method throws `ApiError` for a refusal, `ConnectionError` if there is no answer after the
 * retries, and the signal's reason when it is aborted. Plain arrays are answered with plain arrays, a
 * `tensor` among the inputs with tensors.
 *
 * @typeParam Models names, inputs and outputs of the models, as `quern types` writes them
 */
export class QuernClient<Models extends object = AnyModels> {
  readonly #transport: HttpTransport;
  readonly #calls: PredictionCalls;

  /** @throws QuernError `CONFIG_INVALID` if the URL is none */
  constructor(options: QuernClientOptions) {
    const {
      url,
      apiKey,
      fetch,
      timeoutMs = DEFAULT_TIMEOUT_MS,
      retries = DEFAULT_RETRIES,
    } = options;
    assertUrl(url);
    this.#transport = new HttpTransport({ url, apiKey, fetch, timeoutMs, retries });
    this.#calls = new PredictionCalls(this.#transport);
  }

  /**
   * Makes a prediction and waits for its output.
   * @throws PredictionError if it ended without one, WaitTimeoutError when `timeoutMs` is over first
   */
  predict<Name extends ModelName<Models>>(
    model: Name,
    input: PlainInputs<ModelOf<Models, Name>>,
    options?: PredictOptions,
  ): Promise<PlainOutputs<ModelOf<Models, Name>>>;
  predict<Name extends ModelName<Models>>(
    model: Name,
    input: TensorInputs<ModelOf<Models, Name>>,
    options?: PredictOptions,
  ): Promise<TensorOutputs<ModelOf<Models, Name>>>;
  async predict(model: string, input: AnyInputs, options: PredictOptions = {}): Promise<unknown> {
    return outputOf(await this.#run(model, input, options, false));
  }

  /** Makes a prediction; once this resolves it is in Redis, and will run. */
  submit<Name extends ModelName<Models>>(
    model: Name,
    input: PlainInputs<ModelOf<Models, Name>>,
    options?: SubmitOptions,
  ): Promise<PredictionHandle<PlainOutputs<ModelOf<Models, Name>>>>;
  submit<Name extends ModelName<Models>>(
    model: Name,
    input: TensorInputs<ModelOf<Models, Name>>,
    options?: SubmitOptions,
  ): Promise<PredictionHandle<TensorOutputs<ModelOf<Models, Name>>>>;
  async submit(
    model: string,
    input: AnyInputs,
    options: SubmitOptions = {},
  ): Promise<PredictionHandle> {
    const creation = { ...withId(options), model, input, waits: false };
    return new PredictionHandle(this.#calls, await this.#calls.create(creation));
  }

  /**
   * Makes a prediction of each input, a bounded number at a time, and yields how each ended: an input's
   * error is its result's `error`, and stops nobody else. A full queue is waited for. Inputs are read
   * when there is room for them. Leaving the loop cancels what is in flight.
   */
  predictMany<Name extends ModelName<Models>, const I extends PlainInputs<ModelOf<Models, Name>>>(
    model: Name,
    inputs: Inputs<I>,
    options?: PredictManyOptions,
  ): AsyncGenerator<ManyResult<I, PlainOutputs<ModelOf<Models, Name>>>, void>;
  predictMany<Name extends ModelName<Models>, const I extends TensorInputs<ModelOf<Models, Name>>>(
    model: Name,
    inputs: Inputs<I>,
    options?: PredictManyOptions,
  ): AsyncGenerator<ManyResult<I, TensorOutputs<ModelOf<Models, Name>>>, void>;
  predictMany(
    model: string,
    inputs: Inputs<AnyInputs>,
    options: PredictManyOptions = {},
  ): AsyncGenerator<ManyResult<AnyInputs, unknown>, void> {
    const { concurrency = DEFAULT_CONCURRENCY, order = 'input', signal, ...each } = options;
    return runMany<AnyInputs, unknown>({
      inputs,
      concurrency: Math.max(1, concurrency),
      order,
      signal,
      outputOf,
      run: (input, stop) => this.#run(model, input, { ...each, signal: stop }, true),
    });
  }

  async #run(
    model: string,
    input: AnyInputs,
    options: PredictOptions,
    isPatient: boolean,
  ): Promise<Prediction> {
    const { timeoutMs, cancelOnAbort = true, signal, ...asked } = options;
    const order = withId(asked);
    let { id } = order;
    const late = () =>
      new WaitTimeoutError(id ?? `under key ${order.idempotencyKey}`, timeoutMs ?? 0);
    const limit = limitTime(signal, timeoutMs, late);
    try {
      const creation = { ...order, model, input, waits: true, isPatient, signal: limit.signal };
      const created = await this.#calls.create(creation);
      id = created.id;
      if (isTerminal(created.status)) return created;
      return await this.#calls.wait(id, { signal: limit.signal });
    } catch (error) {
      // Nobody is left who could want the result.
      if (signal?.aborted === true && cancelOnAbort && id !== undefined)
        void this.#cancelQuietly(id);
      throw error;
    } finally {
      limit.end();
    }
  }

  async #cancelQuietly(id: string): Promise<void> {
    const limit = limitTime(undefined, CANCEL_TIMEOUT_MS, () => new Error('too late'));
    // It may not even have arrived, or have ended: the caller has gone either way.
    await this.#calls.cancel(id, limit.signal).catch(() => {});
    limit.end();
  }

  /** A prediction as it is now. */
  get(id: string, options: Signal = {}): Promise<Prediction> {
    return this.#calls.get(id, options.signal);
  }

  /**
   * A prediction once it has ended, however that was.
   * @throws WaitTimeoutError when `timeoutMs` is over first
   */
  wait(id: string, options: WaitOptions = {}): Promise<Prediction> {
    return this.#calls.wait(id, options);
  }

  /** A prediction's statuses, each once, from the one it has now up to the final one. */
  stream(id: string, options: Signal = {}): AsyncGenerator<Prediction, void> {
    return this.#calls.stream(id, options.signal);
  }

  /** Cancels a prediction; what had ended before stays as it is. */
  cancel(id: string, options: Signal = {}): Promise<Prediction> {
    return this.#calls.cancel(id, options.signal);
  }

  /** All predictions, newest first, page by page as they are asked for. Large outputs are left out. */
  list(options: ListOptions = {}): AsyncGenerator<Prediction, void> {
    return this.#calls.list(options);
  }

  async models(options: Signal = {}): Promise<ModelInfo[]> {
    const { signal } = options;
    const wire = await this.#transport.send({ method: 'GET', path: '/v1/models', signal });
    if (!isRecord(wire) || !Array.isArray(wire['results'])) {
      throw badAnswer('results', 'expected an array');
    }
    return wire['results'].map(modelFromWire);
  }

  async model(name: ModelName<Models>, options: Signal = {}): Promise<ModelInfo> {
    const path = `/v1/models/${segment(name)}`;
    return modelFromWire(
      await this.#transport.send({ method: 'GET', path, signal: options.signal }),
    );
  }
}

/** Under an id of the client's own, a request that is sent twice makes one prediction. */
function withId(options: SubmitOptions): SubmitOptions {
  const isNamed = options.id !== undefined || options.idempotencyKey !== undefined;
  return isNamed ? options : { ...options, id: randomId() };
}

function assertUrl(url: string): void {
  if (/^https?:\/\/[^/]/.test(url) || url.startsWith('/')) return;
  throw new QuernError(
    'CONFIG_INVALID',
    `url: got ${JSON.stringify(url)}, expected http://HOST:PORT`,
  );
}
