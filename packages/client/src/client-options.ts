import type { Fetch } from './http-transport.ts';
import type { ManyOptions } from './predict-many.ts';
import type { SubmitOptions } from './prediction-calls.ts';

export interface QuernClientOptions {
  /** Where the API is: `http://127.0.0.1:8080`, or a path on the page's own server. */
  readonly url: string;
  /** One of the API's QUERN_API_KEYS. */
  readonly apiKey?: string;
  /** Default: the platform's. */
  readonly fetch?: Fetch;
  /** How long one request may take to be answered, beyond the time it asks the API to wait. Default 30 s. */
  readonly timeoutMs?: number;
  /** How often a request is sent again when it was refused for a while, or got no answer. Default 4. */
  readonly retries?: number;
}

export interface PredictOptions extends SubmitOptions {
  /** How long to wait for the output; the prediction itself goes on. Default: no limit. */
  readonly timeoutMs?: number;
  /** Cancels the prediction when `signal` is aborted. Default true. */
  readonly cancelOnAbort?: boolean;
}

/** Every prediction of the lot gets these; each has an id of its own. */
export interface PredictManyOptions
  extends Omit<PredictOptions, 'id' | 'idempotencyKey'>,
    ManyOptions {}
