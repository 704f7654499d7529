import {
  decodeTensors,
  encodeBytesElements,
  encodeTensors,
  type Field,
  fieldElementProblem,
  type InputReference,
  type ModelSignature,
  QuernError,
  splitBytesElements,
  type Tensor,
  toQuernError,
} from '@quern/contract';
import { type EgressClient, shownUrl } from '@quern/egress';
import { type PayloadStore, type QueuedPrediction, ReturnToQueue } from '@quern/queue';

export interface InputFetcherOptions {
  /** Undefined: inputs by URL are not taken here. */
  readonly egress: EgressClient | undefined;
  readonly payloads: Pick<PayloadStore, 'read'>;
  readonly maxBytes: number;
  readonly timeoutMs: number;
}

/** Predictions that fetch at a time; what comes beyond goes back to the queue for a moment. */
const MAX_FETCHING = 32;
/** Of these, for one host: a slow one leaves room for others. */
const MAX_FETCHING_OF_HOST = 8;
const BUSY_DELAY_MS = 250;
/** Statuses of faults that pass. */
const PASSING_STATUSES: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);

const utf8 = new TextDecoder();

interface Fetching {
  readonly reference: InputReference;
  readonly url: URL;
}

/**
 * Fetches the bytes of inputs that were sent by URL, before a prediction joins a batch: a slow server
 * keeps nobody waiting but its own prediction, and a failed fetch fails that one alone.
 */
export class InputFetcher {
  readonly #options: InputFetcherOptions;
  readonly #byHost = new Map<string, number>();
  #fetching = 0;

  constructor(options: InputFetcherOptions) {
    this.#options = options;
  }

  /**
   * The prediction with its bytes in place of URLs.
   * @throws QuernError `INPUT_FETCH_FAILED`, retryable if the fault can pass; `PAYLOAD_MISSING`;
   *   `PAYLOAD_TOO_LARGE` if all bytes together are too many
   * @throws ReturnToQueue while too many fetch, or its host has its share
   */
  async fetched(
    prediction: QueuedPrediction,
    references: readonly InputReference[],
    signature: ModelSignature | undefined,
  ): Promise<QueuedPrediction> {
    const tensors = await this.#tensorsOf(prediction);
    const elements = new Map(
      tensors
        .filter(({ name }) => references.some(({ input }) => input === name))
        .map(({ name, data }) => [name, splitBytesElements(data)]),
    );
    const fetching = references.map((reference): Fetching => {
      const element = elements.get(reference.input)?.[reference.element];
      return { reference, url: new URL(utf8.decode(element)) };
    });
    const hosts = new Set(fetching.map(({ url }) => url.host));
    this.#begin(hosts);
    try {
      const stop = new AbortController();
      prediction.cancellation.onCancel(() => stop.abort(new ReturnToQueue('canceled')));
      let total = 0;
      for (const { reference, url } of fetching) {
        const { input, element } = reference;
        const field = signature?.inputs.find(({ name }) => name === input)?.field;
        const bytes = await this.#fetch(url, field, stop.signal);
        total += bytes.byteLength;
        if (total > this.#options.maxBytes) throw this.#tooLarge(total);
        elements.get(input)?.splice(element, 1, bytes);
      }
    } finally {
      this.#end(hosts);
    }
    const filled = tensors.map((tensor): Tensor => {
      const own = elements.get(tensor.name);
      return own === undefined ? tensor : { ...tensor, data: encodeBytesElements(own) };
    });
    return { ...prediction, input: { inline: encodeTensors(filled) } };
  }

  async #tensorsOf({ id, input }: QueuedPrediction): Promise<Tensor[]> {
    const [message = null] =
      'inline' in input ? [input.inline] : await this.#options.payloads.read([input.key]);
    if (message !== null) return decodeTensors(message);
    throw new QuernError(
      'PAYLOAD_MISSING',
      `the input of prediction ${id} is gone; it may have expired: send it again`,
    );
  }

  async #fetch(url: URL, field: Field | undefined, signal: AbortSignal): Promise<Uint8Array> {
    const { egress, maxBytes, timeoutMs } = this.#options;
    if (egress === undefined) {
      throw fetchFailed(url, 'inputs by URL are not taken here (QUERN_INPUT_URLS=false)');
    }
    try {
      const { status, body } = await egress.request(url, {
        redirect: 'follow',
        maxBytes: Math.min(maxBytes, field?.maxBytes ?? maxBytes),
        headersTimeoutMs: timeoutMs,
        totalTimeoutMs: timeoutMs,
        signal,
      });
      if (status < 200 || status > 299) {
        throw fetchFailed(url, `the server answers ${status}`, PASSING_STATUSES.has(status));
      }
      const problem = field === undefined ? undefined : fieldElementProblem(body, field);
      if (problem !== undefined) throw fetchFailed(url, problem);
      return body;
    } catch (error) {
      if (error instanceof ReturnToQueue) throw error;
      const { code, message } = toQuernError(error);
      if (code === 'INPUT_FETCH_FAILED') throw error;
      // This process stops: another one fetches it.
      if (code === 'SHUTTING_DOWN') throw new ReturnToQueue(message);
      throw fetchFailed(url, message, code === 'FOREIGN_HOST_FAILED', error);
    }
  }

  #tooLarge(bytes: number): QuernError {
    return new QuernError(
      'PAYLOAD_TOO_LARGE',
      `got ${bytes} bytes from the URLs of one prediction, expected at most ${this.#options.maxBytes} (QUERN_INPUT_URL_MAX_BYTES)`,
    );
  }

  #begin(hosts: ReadonlySet<string>): void {
    const isFull = [...hosts].some((host) => this.#countOf(host) >= MAX_FETCHING_OF_HOST);
    if (isFull || this.#fetching >= MAX_FETCHING) {
      throw new ReturnToQueue('too many inputs are fetched at the moment', BUSY_DELAY_MS);
    }
    this.#fetching += 1;
    for (const host of hosts) this.#byHost.set(host, this.#countOf(host) + 1);
  }

  #end(hosts: ReadonlySet<string>): void {
    this.#fetching -= 1;
    for (const host of hosts) {
      const left = this.#countOf(host) - 1;
      if (left > 0) this.#byHost.set(host, left);
      else this.#byHost.delete(host);
    }
  }

  #countOf(host: string): number {
    return this.#byHost.get(host) ?? 0;
  }
}

function fetchFailed(url: URL, problem: string, canPass = false, cause?: unknown): QuernError {
  return new QuernError('INPUT_FETCH_FAILED', `${shownUrl(url)}: ${problem}`, {
    retryable: canPass,
    cause,
  });
}
