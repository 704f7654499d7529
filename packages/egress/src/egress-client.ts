import { QuernError } from '@quern/contract';
import { Agent, request } from 'undici';
import type { EgressRules } from './egress-rules.ts';
import { guardedConnector, type ResolveHost, systemResolver } from './guarded-connector.ts';
import { isRedirect, redirectTarget } from './redirects.ts';
import { redirectFault, requestFault, timeLimitFault } from './request-faults.ts';
import { readBody } from './response-body.ts';
import { parseTargetUrl } from './target-url.ts';

const DEFAULT_CONNECT_TIMEOUT_MS = 5_000;
const DEFAULT_HEADERS_TIMEOUT_MS = 10_000;
const DEFAULT_TOTAL_TIMEOUT_MS = 15_000;
const MAX_REDIRECTS = 3;
const MAX_HEADER_BYTES = 16 * 1024;

export interface EgressClientOptions {
  readonly rules: EgressRules;
  /** DNS and TCP and TLS together. Default 5 s. */
  readonly connectTimeoutMs?: number;
  /** Default: as the machine resolves names. */
  readonly resolveHost?: ResolveHost;
}

export interface EgressRequest {
  /** Default GET. */
  readonly method?: 'GET' | 'HEAD' | 'POST' | 'PUT';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** Of the answer's body; it is never held beyond that. */
  readonly maxBytes: number;
  /** What becomes of a larger answer: an error (the default), or only its beginning is kept. */
  readonly oversize?: 'error' | 'truncate';
  /**
   * What becomes of a redirect: an error (the default), an answer like others, or, for GET and HEAD, up
   * to 3 are followed, each under the rules. Headers of the request are kept within its origin only.
   */
  readonly redirect?: 'error' | 'manual' | 'follow';
  /** From the request being sent to the answer's headers. Default 10 s. */
  readonly headersTimeoutMs?: number;
  /** For everything, redirects and the answer's body included. Default 15 s. */
  readonly totalTimeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface EgressAnswer {
  readonly status: number;
  /** By lower-case name; repeated ones joined by commas. */
  readonly headers: Readonly<Record<string, string>>;
  /** As it came: no content encoding is asked for, and none undone. */
  readonly body: Buffer;
  /** Whether `body` is only the beginning. */
  readonly isTruncated: boolean;
  /** Who answered, after redirects. */
  readonly url: URL;
}

/**
 * Sends requests to addresses that clients name, to allowed ones alone (`isAddressAllowed`), which is
 * checked on the very address that each connection is made to.
 */
export class EgressClient {
  readonly #rules: EgressRules;
  readonly #agent: Agent;
  #closing: Promise<void> | undefined;

  constructor(options: EgressClientOptions) {
    const { rules, connectTimeoutMs = DEFAULT_CONNECT_TIMEOUT_MS } = options;
    const resolveHost = options.resolveHost ?? systemResolver;
    this.#rules = rules;
    this.#agent = new Agent({
      connect: guardedConnector(rules, resolveHost, connectTimeoutMs),
      maxHeaderSize: MAX_HEADER_BYTES,
    });
  }

  /**
   * Sends a request and reads its answer, whatever its status.
   * @throws QuernError `INVALID_REQUEST` for the URL's form, `ADDRESS_REFUSED` by the rules,
   *   `FOREIGN_HOST_FAILED` with `details.reason` (`timeout`, `connection` or `redirect`),
   *   `PAYLOAD_TOO_LARGE`, `SHUTTING_DOWN` after `close()`; or the signal's reason
   */
  async request(target: string | URL, options: EgressRequest): Promise<EgressAnswer> {
    const url = parseTargetUrl(String(target), this.#rules, 'url');
    const { totalTimeoutMs = DEFAULT_TOTAL_TIMEOUT_MS, signal } = options;
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(), totalTimeoutMs);
    const signals = signal === undefined ? [limit.signal] : [limit.signal, signal];
    try {
      return await this.#follow(url, options, AbortSignal.any(signals));
    } catch (error) {
      signal?.throwIfAborted();
      if (limit.signal.aborted) throw timeLimitFault(url, totalTimeoutMs);
      if (this.#closing !== undefined) {
        throw new QuernError('SHUTTING_DOWN', `The request to ${url.host} was broken off`);
      }
      throw requestFault(error, url);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Breaks off what is under way and closes all connections. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#agent.destroy();
    return this.#closing;
  }

  async #follow(first: URL, options: EgressRequest, signal: AbortSignal): Promise<EgressAnswer> {
    const { redirect = 'error', method = 'GET' } = options;
    for (let url = first, count = 0; ; count += 1) {
      const headers = url.origin === first.origin ? options.headers : undefined;
      const answer = await this.#send(url, { ...options, headers: headers ?? {} }, signal);
      if (!isRedirect(answer.status) || redirect === 'manual') return answer;
      const mayFollow = redirect === 'follow' && (method === 'GET' || method === 'HEAD');
      if (!mayFollow) throw redirectFault(url, 'answers with a redirect, which is not followed');
      if (count === MAX_REDIRECTS) {
        throw redirectFault(first, `redirects more than ${MAX_REDIRECTS} times`);
      }
      url = redirectTarget(url, answer.headers['location'], this.#rules);
    }
  }

  async #send(url: URL, options: EgressRequest, signal: AbortSignal): Promise<EgressAnswer> {
    const answer = await request(url, {
      dispatcher: this.#agent,
      method: options.method ?? 'GET',
      headers: { 'user-agent': 'quern', 'accept-encoding': 'identity', ...options.headers },
      body: options.body ?? null,
      headersTimeout: options.headersTimeoutMs ?? DEFAULT_HEADERS_TIMEOUT_MS,
      signal,
    });
    const { statusCode: status } = answer;
    const headers = joinedHeaders(answer.headers);
    const isElsewhere = isRedirect(status) && options.redirect !== 'manual';
    const { body, isTruncated } = await readBody(answer.body, {
      maxBytes: options.maxBytes,
      // Nobody reads the body of a redirect that is followed or refused.
      oversize: isElsewhere ? 'truncate' : (options.oversize ?? 'error'),
      url,
    });
    return { status, headers, body, isTruncated, url };
  }
}

function joinedHeaders(
  headers: Readonly<Record<string, string | string[] | undefined>>,
): Record<string, string> {
  const joined = Object.entries(headers).flatMap(([name, value]): [string, string][] =>
    value === undefined ? [] : [[name.toLowerCase(), String(value)]],
  );
  return Object.fromEntries(joined);
}
