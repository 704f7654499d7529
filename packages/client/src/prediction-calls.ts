import { badAnswer, WaitTimeoutError } from './errors.ts';
import { writeJson } from './exact-json.ts';
import type { HttpTransport } from './http-transport.ts';
import {
  isRecord,
  isTerminal,
  type Prediction,
  type PredictionStatus,
  predictionFromWire,
} from './prediction.ts';
import { NoEventsError, predictionStates } from './prediction-stream.ts';
import type { Input } from './tensor-to-wire.ts';
import { inputsToWire } from './tensor-to-wire.ts';
import { limitTime, pause } from './time-limit.ts';

/** How a prediction is asked for. */
export interface SubmitOptions {
  /** Default: the newest version that is ready. */
  readonly version?: string | number;
  /** The outputs wanted; default all. */
  readonly outputs?: readonly string[];
  /** Its place in the queue. Default `normal`. */
  readonly priority?: 'high' | 'normal' | 'low';
  /** It expires if it has not started within this time. Default: the model's own. */
  readonly expiresAfterMs?: number;
  /** Echoed back; at most 4 KiB of JSON. */
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** Told by POST when it has ended; verify what comes there with `verifyWebhook`. */
  readonly webhook?: string;
  /** What the webhook is told of. Default `completed` alone. */
  readonly webhookEvents?: readonly ('start' | 'completed')[];
  /**
   * The prediction's id: asking again with the same id and content finds the same prediction, other
   * content is a `CONFLICT`. Default: a random UUID, so that retries never make two predictions.
   */
  readonly id?: string;
  /** Instead of `id`: an `Idempotency-Key`, which only callers with the same API key share. */
  readonly idempotencyKey?: string;
  readonly signal?: AbortSignal;
  /** Default: the client's. */
  readonly retries?: number;
}

export interface WaitOptions {
  /** Default: no limit. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface ListOptions {
  readonly model?: string;
  readonly status?: PredictionStatus;
  /** Predictions per request, 1 to 100. Default 20. */
  readonly pageSize?: number;
  readonly signal?: AbortSignal;
}

interface Creation extends SubmitOptions {
  readonly model: string;
  readonly input: Readonly<Record<string, Input>>;
  /** The API may keep the answer back until the prediction has ended. */
  readonly waits: boolean;
  readonly isPatient?: boolean | undefined;
}

/** One long poll: shorter than what proxies and load balancers cut off. */
const POLL_SECONDS = 25;
/** Where each status has to be seen, the API is asked at least this often. */
const STATUS_POLL_SECONDS = 1;
/** An answer that comes back at once with nothing new is not asked for again at once. */
const MIN_POLL_MS = 200;

/** The API's calls about predictions. */
export class PredictionCalls {
  readonly #transport: HttpTransport;

  constructor(transport: HttpTransport) {
    this.#transport = transport;
  }

  async create(creation: Creation): Promise<Prediction> {
    const { model, version, input, idempotencyKey, id, waits } = creation;
    const versionPath = version === undefined ? '' : `/versions/${segment(String(version))}`;
    const body = {
      input: inputsToWire(input),
      ...(id !== undefined && { id }),
      ...(creation.outputs !== undefined && { outputs: creation.outputs }),
      ...(creation.priority !== undefined && { priority: creation.priority }),
      ...(creation.expiresAfterMs !== undefined && { timeout_ms: creation.expiresAfterMs }),
      ...(creation.metadata !== undefined && { metadata: creation.metadata }),
      ...(creation.webhook !== undefined && { webhook: creation.webhook }),
      ...(creation.webhookEvents !== undefined && {
        webhook_events_filter: creation.webhookEvents,
      }),
    };
    const wire = await this.#transport.send({
      method: 'POST',
      path: `/v1/models/${segment(model)}${versionPath}/predictions`,
      body: writeJson(body),
      headers: {
        ...(idempotencyKey !== undefined && { 'idempotency-key': idempotencyKey }),
        ...(waits && { prefer: `wait=${POLL_SECONDS}` }),
      },
      signal: creation.signal,
      heldMs: waits ? POLL_SECONDS * 1000 : 0,
      retries: creation.retries,
      isRepeatable: id !== undefined || idempotencyKey !== undefined,
      isPatient: creation.isPatient,
    });
    return predictionFromWire(wire);
  }

  async get(id: string, signal?: AbortSignal, waitSeconds = 0): Promise<Prediction> {
    const query = waitSeconds === 0 ? '' : `?wait=${waitSeconds}`;
    const path = `/v1/predictions/${segment(id)}${query}`;
    const heldMs = waitSeconds * 1000;
    return predictionFromWire(await this.#transport.send({ method: 'GET', path, signal, heldMs }));
  }

  async cancel(id: string, signal?: AbortSignal): Promise<Prediction> {
    const path = `/v1/predictions/${segment(id)}/cancel`;
    return predictionFromWire(await this.#transport.send({ method: 'POST', path, signal }));
  }

  /** @throws WaitTimeoutError when the time is over first */
  async wait(id: string, { timeoutMs, signal }: WaitOptions): Promise<Prediction> {
    const late = () => new WaitTimeoutError(id, timeoutMs ?? 0);
    const limit = limitTime(signal, timeoutMs, late);
    try {
      for (;;) {
        const prediction = await this.#poll(id, limit.signal, POLL_SECONDS);
        if (isTerminal(prediction.status)) return prediction;
      }
    } finally {
      limit.end();
    }
  }

  /** Every status that is seen, once, up to the final one. */
  async *stream(id: string, signal: AbortSignal | undefined): AsyncGenerator<Prediction, void> {
    let told: PredictionStatus | undefined;
    for await (const prediction of this.#states(id, signal)) {
      if (prediction.status !== told) yield prediction;
      told = prediction.status;
    }
  }

  /** As the API tells them; where something on the way lets no events through, by asking. */
  async *#states(id: string, signal: AbortSignal | undefined): AsyncGenerator<Prediction, void> {
    const transport = this.#transport;
    const path = `/v1/predictions/${segment(id)}/events`;
    try {
      yield* predictionStates({ transport, path, signal, retries: transport.retries });
    } catch (error) {
      if (!(error instanceof NoEventsError)) throw error;
      yield* this.#polledStates(id, signal);
    }
  }

  async *#polledStates(id: string, signal: AbortSignal | undefined): AsyncGenerator<Prediction> {
    let prediction = await this.get(id, signal);
    yield prediction;
    while (!isTerminal(prediction.status)) {
      prediction = await this.#poll(id, signal, STATUS_POLL_SECONDS);
      yield prediction;
    }
  }

  /** One long poll. A process that stops answers at once: the next may be another one's. */
  async #poll(id: string, signal: AbortSignal | undefined, seconds: number): Promise<Prediction> {
    const startedAtMs = performance.now();
    const prediction = await this.get(id, signal, seconds);
    const tookMs = performance.now() - startedAtMs;
    if (!isTerminal(prediction.status) && tookMs < MIN_POLL_MS) {
      await pause(MIN_POLL_MS - tookMs, signal);
    }
    return prediction;
  }

  async *list(options: ListOptions): AsyncGenerator<Prediction, void> {
    const { model, status, pageSize, signal } = options;
    const query = new URLSearchParams();
    if (model !== undefined) query.set('model', model);
    if (status !== undefined) query.set('status', status);
    if (pageSize !== undefined) query.set('limit', String(pageSize));
    for (;;) {
      const path = `/v1/predictions?${query}`;
      const page = await this.#transport.send({ method: 'GET', path, signal });
      if (!isRecord(page) || !Array.isArray(page['results'])) {
        throw badAnswer('results', 'expected an array');
      }
      for (const wire of page['results']) yield predictionFromWire(wire);
      if (typeof page['next'] !== 'string') return;
      query.set('cursor', page['next']);
    }
  }
}

/** A name as a part of a path. */
export function segment(name: string): string {
  return encodeURIComponent(name);
}
