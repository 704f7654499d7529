import { ApiError, ConnectionError } from './errors.ts';
import { readJson } from './exact-json.ts';
import { OpenAnswer } from './open-answer.ts';
import { isRecord } from './prediction.ts';
import { RetryCount, retryAfterMs } from './retry-policy.ts';
import { limitSilence, limitTime, pause } from './time-limit.ts';

/** Of `fetch` what is used here. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export interface TransportOptions {
  /** Scheme, host and port of the API, with a path where a proxy has put it under one. */
  readonly url: string;
  readonly apiKey?: string | undefined;
  readonly fetch?: Fetch | undefined;
  readonly timeoutMs: number;
  readonly retries: number;
}

export interface HttpRequest {
  readonly method: 'GET' | 'POST';
  /** From the API's root: `/v1/...`. */
  readonly path: string;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  /** How long the API may keep the answer back, beyond the usual time. */
  readonly heldMs?: number;
  readonly retries?: number | undefined;
  /** Whether sending it twice does no harm. Default true. */
  readonly isRepeatable?: boolean;
  readonly isPatient?: boolean | undefined;
}

/** A request whose answer is read as it comes. */
export interface OpenRequest {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal | undefined;
  /** An answer that stays silent for so long has broken off. */
  readonly silenceMs: number;
}

/** Sends requests, again where that is safe and worthwhile, and makes errors of what is no answer. */
export class HttpTransport {
  readonly #baseUrl: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #fetch: Fetch;
  readonly #timeoutMs: number;
  /** Retries after the first attempt, by default. */
  readonly retries: number;

  constructor(options: TransportOptions) {
    this.#baseUrl = options.url.replace(/\/+$/, '');
    this.#headers = {
      accept: 'application/json',
      ...(options.apiKey !== undefined && { authorization: `Bearer ${options.apiKey}` }),
    };
    // Called as a method it would have another `this`, which browsers refuse.
    const { fetch: own } = options;
    this.#fetch = own ?? ((url, init) => globalThis.fetch(url, init));
    this.#timeoutMs = options.timeoutMs;
    this.retries = options.retries;
  }

  /**
   * The JSON of the answer.
   * @throws ApiError for an error answer, ConnectionError for none, the signal's reason when it is aborted
   */
  async send(request: HttpRequest): Promise<unknown> {
    const { signal, retries = this.retries, isRepeatable = true, isPatient = false } = request;
    const count = new RetryCount({ retries, isRepeatable, isPatient });
    for (;;) {
      signal?.throwIfAborted();
      try {
        return await this.#attempt(request);
      } catch (error) {
        if (signal?.aborted === true) throw signal.reason;
        const pauseMs = count.pauseAfter(error);
        if (pauseMs === undefined) throw error;
        await pause(pauseMs, signal);
      }
    }
  }

  /**
   * Opens an answer to a GET, once; it must be closed.
   * @throws as `send`, without retries
   */
  async open({ path, headers, signal, silenceMs }: OpenRequest): Promise<OpenAnswer> {
    const late = () =>
      new ConnectionError('ANSWER_TIMEOUT', `${this.#baseUrl}: nothing came for ${silenceMs} ms`);
    const limit = limitSilence(signal, silenceMs, late);
    const faultOf = (error: unknown) => this.#fault(error, limit.signal);
    try {
      const init = { headers: { ...this.#headers, ...headers }, signal: limit.signal };
      const response = await this.#fetch(`${this.#baseUrl}${path}`, init);
      if (!response.ok) throw this.#refusal(response, tryJson(await response.text()));
      return new OpenAnswer(response, limit, faultOf);
    } catch (error) {
      const fault = faultOf(error);
      limit.end();
      throw fault;
    }
  }

  /** What went wrong, as this client's error. */
  #fault(error: unknown, signal: AbortSignal): unknown {
    // A timeout's error is the signal's reason; some platforms throw one of their own.
    if (signal.aborted) return signal.reason;
    if (error instanceof ApiError || error instanceof ConnectionError) return error;
    const message = `Cannot reach the API at ${this.#baseUrl}: ${reasonOf(error)}`;
    return new ConnectionError('UNREACHABLE', message, { cause: error });
  }

  async #attempt(request: HttpRequest): Promise<unknown> {
    const { method, path, body } = request;
    const timeoutMs = this.#timeoutMs + (request.heldMs ?? 0);
    const late = () =>
      new ConnectionError('ANSWER_TIMEOUT', `${this.#baseUrl}: no answer within ${timeoutMs} ms`);
    const limit = limitTime(request.signal, timeoutMs, late);
    try {
      const response = await this.#fetch(`${this.#baseUrl}${path}`, {
        method,
        headers: {
          ...this.#headers,
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...request.headers,
        },
        signal: limit.signal,
        ...(body !== undefined && { body }),
      });
      return this.#read(response, await response.text());
    } catch (error) {
      throw this.#fault(error, limit.signal);
    } finally {
      limit.end();
    }
  }

  #read(response: Response, text: string): unknown {
    const json = tryJson(text);
    if (!response.ok) throw this.#refusal(response, json);
    if (json !== undefined) return json;
    const { status } = response;
    const message = `${this.#baseUrl} answered ${status} with what is not JSON; is it Quern's API?`;
    throw new ConnectionError('BAD_ANSWER', message);
  }

  #refusal(response: Response, json: unknown): ApiError {
    const { status, headers } = response;
    const error = isRecord(json) && isRecord(json['error']) ? json['error'] : {};
    const { code, message, details } = error;
    const options = {
      status,
      requestId: headers.get('x-request-id') ?? undefined,
      retryAfterMs: retryAfterMs(headers.get('retry-after')),
      details: isRecord(details) ? details : undefined,
    };
    if (typeof code === 'string' && typeof message === 'string') {
      return new ApiError(code, message, options);
    }
    // A proxy in front says that it cannot reach the API, or is asked for what is not there.
    const own = status >= 500 ? 'UNREACHABLE' : 'BAD_ANSWER';
    return new ApiError(own, `${this.#baseUrl} answered ${status}, but not as Quern does`, options);
  }
}

function tryJson(text: string): unknown {
  try {
    return readJson(text);
  } catch {
    return undefined;
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  if (!(cause instanceof Error)) return error.message;
  // One attempt for each address of a name makes an AggregateError without a message.
  return cause.message || ('code' in cause ? String(cause.code) : cause.name);
}
