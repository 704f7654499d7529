import {
  errorBodySchema,
  type Priority,
  parseJson,
  predictionSchema,
  stringifyJson,
  type WirePrediction,
} from '@quern/contract';
import { z } from 'zod';
import { ApiRefusal, ApiUnreachable } from './api-errors.ts';
import { type ModelView, modelListSchema, modelViewSchema } from './models/model-view.ts';
import { type ProfileResetView, profileResetSchema } from './models/profile-view.ts';
import {
  liftedViewSchema,
  type QuarantineView,
  quarantineViewSchema,
} from './quarantine/quarantine-view.ts';
import {
  type DeliveryList,
  type DeliveryView,
  deliveryListSchema,
  deliveryViewSchema,
  replayedViewSchema,
} from './webhooks/delivery-view.ts';

export interface ApiClientOptions {
  /** Scheme, host and port of the API. */
  readonly url: string;
  readonly apiKey?: string | undefined;
}

export interface NewPrediction {
  readonly model: string;
  readonly version?: string | undefined;
  readonly input: Readonly<Record<string, unknown>>;
  readonly priority?: Priority | undefined;
  /** It expires if it has not started within this time. */
  readonly timeoutMs?: number | undefined;
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** The API may keep the answer back for this long, until the prediction has ended. */
  readonly waitSeconds?: number | undefined;
}

interface Request {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An answer that is not waited for comes within this time, whatever its size. */
const ANSWER_TIMEOUT_MS = 30_000;
/** The API's own limit is a minute unless it was told another. */
const WISH_WAIT_SECONDS = 300;

/** The body of errors on `/v2`. */
const protocolErrorSchema = z.object({ error: z.string() });

/**
 * Calls the API. Integers beyond 2^53 stay exact both ways.
 * Every method throws `ApiRefusal` for an error answer, `ApiUnreachable` if there is none in time, and
 * the signal's reason when it is aborted.
 */
export class ApiClient {
  readonly url: string;
  readonly #apiKey: string | undefined;

  constructor(options: ApiClientOptions) {
    this.url = options.url.replace(/\/+$/, '');
    this.#apiKey = options.apiKey;
  }

  /** Creates a prediction; with `waitSeconds` it may come back ended. */
  create(order: NewPrediction, options: CallOptions = {}): Promise<WirePrediction> {
    const version = order.version === undefined ? '' : `/versions/${segment(order.version)}`;
    const body = {
      input: order.input,
      ...(order.priority !== undefined && { priority: order.priority }),
      ...(order.timeoutMs !== undefined && { timeout_ms: order.timeoutMs }),
    };
    const { waitSeconds } = options;
    const request: Request = {
      method: 'POST',
      path: `/v1/models/${segment(order.model)}${version}/predictions`,
      body: writeJson(body),
      ...(waitSeconds !== undefined && { headers: { prefer: `wait=${waitSeconds}` } }),
    };
    return this.#call(request, predictionSchema, options);
  }

  /** Reads a prediction; with `waitSeconds` the answer comes when it has ended, or the time is over. */
  get(id: string, options: CallOptions = {}): Promise<WirePrediction> {
    const query = options.waitSeconds === undefined ? '' : `?wait=${options.waitSeconds}`;
    const path = `/v1/predictions/${segment(id)}${query}`;
    return this.#call({ method: 'GET', path }, predictionSchema, options);
  }

  /** Cancels a prediction; what had ended before stays as it is. */
  cancel(id: string, options: CallOptions = {}): Promise<WirePrediction> {
    const path = `/v1/predictions/${segment(id)}/cancel`;
    return this.#call({ method: 'POST', path }, predictionSchema, options);
  }

  async models(options: CallOptions = {}): Promise<ModelView[]> {
    const { results } = await this.#call(
      { method: 'GET', path: '/v1/models' },
      modelListSchema,
      options,
    );
    return results;
  }

  /** @param options `profile` brings the stored run times along */
  model(name: string, options: { readonly profile?: boolean } = {}): Promise<ModelView> {
    const path = `/v1/models/${segment(name)}${options.profile === true ? '?profile=true' : ''}`;
    return this.#call({ method: 'GET', path }, modelViewSchema, {});
  }

  /** Forgets the run times of all versions of a model. */
  resetProfile(name: string): Promise<ProfileResetView> {
    const path = `/v1/models/${segment(name)}/profile`;
    return this.#call({ method: 'DELETE', path }, profileResetSchema, {});
  }

  /** Has every worker load or unload a model; resolves when they have. */
  async wishModel(model: string, action: 'load' | 'unload'): Promise<void> {
    const path = `/v2/repository/models/${segment(model)}/${action}`;
    const request: Request = { method: 'POST', path, body: '{}' };
    await this.#call(request, z.looseObject({}), { waitSeconds: WISH_WAIT_SECONDS });
  }

  quarantine(model: string): Promise<QuarantineView> {
    const path = `/v1/models/${segment(model)}/quarantine`;
    return this.#call({ method: 'GET', path }, quarantineViewSchema, {});
  }

  /** Accepts an input in quarantine again; all of the model without a fingerprint. */
  liftQuarantine(model: string, fingerprint?: string): Promise<{ lifted: number }> {
    const path = `/v1/models/${segment(model)}/quarantine/lift`;
    const body = writeJson(fingerprint === undefined ? {} : { fingerprint });
    return this.#call({ method: 'POST', path, body }, liftedViewSchema, {});
  }

  /** Deliveries of webhooks of one state, the latest first. */
  deliveries(query: {
    readonly state: string;
    readonly host?: string | undefined;
    readonly limit: number;
  }): Promise<DeliveryList> {
    const { state, host, limit } = query;
    const parameters = new URLSearchParams({ state, limit: String(limit) });
    if (host !== undefined) parameters.set('host', host);
    const path = `/v1/webhooks/deliveries?${parameters}`;
    return this.#call({ method: 'GET', path }, deliveryListSchema, {});
  }

  /** A delivery with its log. */
  delivery(id: string): Promise<DeliveryView> {
    const path = `/v1/webhooks/deliveries/${segment(id)}`;
    return this.#call({ method: 'GET', path }, deliveryViewSchema, {});
  }

  replayDelivery(id: string): Promise<DeliveryView> {
    const path = `/v1/webhooks/deliveries/${segment(id)}/replay`;
    return this.#call({ method: 'POST', path }, deliveryViewSchema, {});
  }

  /** Replays every dead letter; those to one host, if it is named. */
  replayDeliveries(host?: string): Promise<{ replayed: number }> {
    const body = writeJson(host === undefined ? {} : { host });
    const path = '/v1/webhooks/replay';
    return this.#call({ method: 'POST', path, body }, replayedViewSchema, {});
  }

  async #call<T>(request: Request, schema: z.ZodType<T>, options: CallOptions): Promise<T> {
    const { response, text } = await this.#send(request, options);
    const json = this.#readJson(text, response.status);
    if (!response.ok) throw this.#refusal(json, response);
    const parsed = schema.safeParse(json);
    if (parsed.success) return parsed.data;
    const issue = parsed.error.issues[0];
    throw new ApiUnreachable(
      this.url,
      `an answer that is not Quern's: ${issue?.path.join('.')}: ${issue?.message}`,
    );
  }

  async #send(
    request: Request,
    { signal, waitSeconds = 0 }: CallOptions,
  ): Promise<{ response: Response; text: string }> {
    const timeout = AbortSignal.timeout(waitSeconds * 1000 + ANSWER_TIMEOUT_MS);
    try {
      const response = await fetch(`${this.url}${request.path}`, {
        method: request.method,
        headers: {
          accept: 'application/json',
          ...(request.body !== undefined && { 'content-type': 'application/json' }),
          ...(this.#apiKey !== undefined && { authorization: `Bearer ${this.#apiKey}` }),
          ...request.headers,
        },
        signal: signal === undefined ? timeout : AbortSignal.any([timeout, signal]),
        ...(request.body !== undefined && { body: request.body }),
      });
      return { response, text: await response.text() };
    } catch (error) {
      if (signal?.aborted === true) throw signal.reason;
      throw new ApiUnreachable(this.url, reasonOf(error));
    }
  }

  #readJson(text: string, status: number): unknown {
    try {
      return parseJson(text);
    } catch {
      throw new ApiUnreachable(this.url, `a ${status} answer that is not JSON`);
    }
  }

  #refusal(json: unknown, response: Response): Error {
    const protocol = protocolErrorSchema.safeParse(json).data?.error;
    const [, protocolCode, protocolMessage = ''] = /^([A-Z_]+): (.*)$/s.exec(protocol ?? '') ?? [];
    const retryAfter = response.headers.get('retry-after');
    if (protocolCode !== undefined) {
      return new ApiRefusal(protocolCode, protocolMessage, { status: response.status, retryAfter });
    }
    const parsed = errorBodySchema.safeParse(json);
    if (!parsed.success) {
      return new ApiUnreachable(this.url, `a ${response.status} answer that is not Quern's`);
    }
    const { code, message } = parsed.data.error;
    return new ApiRefusal(code, message, { status: response.status, retryAfter });
  }
}

function segment(name: string): string {
  return encodeURIComponent(name);
}

/** The fast writer refuses bigints, which are rare. */
function writeJson(value: unknown): string {
  try {
    return stringifyJson(value, false);
  } catch {
    return stringifyJson(value, true);
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return 'no answer in time';
  const { cause } = error;
  if (!(cause instanceof Error)) return error.message;
  // One attempt for each address of a name makes an AggregateError without a message.
  return cause.message || ('code' in cause ? String(cause.code) : cause.name);
}
