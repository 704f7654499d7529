import { decodeBase64 } from './base64.ts';
import { readJson } from './exact-json.ts';

/** Headers as `fetch` has them, or as Node's servers do. */
export type WebhookHeaders =
  | { get(name: string): string | null }
  | Readonly<Record<string, string | readonly string[] | undefined>>;

export interface WebhookOptions {
  /** How old, or how far in the future, a delivery may be. Default 5 minutes. */
  readonly toleranceMs?: number;
  /** Default: now. */
  readonly nowMs?: number;
}

/** A delivery that is genuine. */
export interface VerifiedWebhook {
  /** The same on every retry of a delivery: who has seen it may pass it over. */
  readonly id: string;
  /** When this attempt was sent. */
  readonly sentAt: Date;
  /** The body, as JSON. */
  readonly payload: unknown;
}

export type WebhookProblem =
  | 'MISSING_HEADER'
  | 'BAD_TIMESTAMP'
  | 'TOO_OLD'
  | 'TOO_NEW'
  | 'BAD_SIGNATURE'
  | 'BAD_SECRET'
  | 'BAD_PAYLOAD';

/** The delivery is not to be trusted; answer 400. */
export class WebhookError extends Error {
  readonly problem: WebhookProblem;

  constructor(problem: WebhookProblem, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'WebhookError';
    this.problem = problem;
  }
}

const DEFAULT_TOLERANCE_MS = 5 * 60_000;
const SECRET_PREFIX = 'whsec_';

/**
 * Makes sure that a webhook comes from who holds the secret, as Standard Webhooks 1.0 has it
 * (`webhook-id`, `webhook-timestamp`, `webhook-signature` with v1 HMAC-SHA256).
 * @param payload the body exactly as it came, not parsed and written again
 * @param secret `whsec_` and base64; several while a secret is being changed
 * @throws WebhookError
 */
export async function verifyWebhook(
  payload: string | Uint8Array,
  headers: WebhookHeaders,
  secret: string | readonly string[],
  options: WebhookOptions = {},
): Promise<VerifiedWebhook> {
  const id = header(headers, 'webhook-id');
  const timestamp = header(headers, 'webhook-timestamp');
  const signatures = v1Signatures(header(headers, 'webhook-signature'));
  const sentAtMs = assertRecent(timestamp, options);
  const body = typeof payload === 'string' ? new TextEncoder().encode(payload) : payload;
  const signed = concatenate(new TextEncoder().encode(`${id}.${timestamp}.`), body);
  const secrets = typeof secret === 'string' ? [secret] : secret;
  const keys = await Promise.all(secrets.map(importSecret));
  // `verify` compares in constant time; all pairs are tried, so the time tells nothing of which it was.
  const checks = keys.flatMap((key) =>
    signatures.map((signature) => crypto.subtle.verify('HMAC', key, signature, signed)),
  );
  if (!(await Promise.all(checks)).includes(true)) {
    throw new WebhookError('BAD_SIGNATURE', 'No signature is of a known secret over this body');
  }
  return { id, sentAt: new Date(sentAtMs), payload: parse(body) };
}

function header(headers: WebhookHeaders, name: string): string {
  const value = isHeaders(headers) ? headers.get(name) : lookUp(headers, name);
  if (typeof value === 'string' && value !== '') return value;
  throw new WebhookError('MISSING_HEADER', `There is no ${name} header`);
}

function isHeaders(headers: WebhookHeaders): headers is { get(name: string): string | null } {
  return typeof headers['get'] === 'function';
}

function lookUp(
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
  name: string,
): string | undefined {
  const key = Object.keys(headers).find((candidate) => candidate.toLowerCase() === name);
  const value = key === undefined ? undefined : headers[key];
  return typeof value === 'string' ? value : value?.[0];
}

/** The signatures of the one kind that a shared secret makes; others are for other keys. */
function v1Signatures(list: string): Uint8Array<ArrayBuffer>[] {
  return list.split(' ').flatMap((part) => {
    const [version, text] = part.split(',', 2);
    if (version !== 'v1' || text === undefined) return [];
    try {
      return [decodeBase64(text)];
    } catch {
      return [];
    }
  });
}

function assertRecent(timestamp: string, options: WebhookOptions): number {
  const { toleranceMs = DEFAULT_TOLERANCE_MS, nowMs = Date.now() } = options;
  if (!/^\d{1,12}$/.test(timestamp)) {
    throw new WebhookError('BAD_TIMESTAMP', 'webhook-timestamp: expected seconds since 1970');
  }
  const sentAtMs = Number(timestamp) * 1000;
  if (sentAtMs < nowMs - toleranceMs) {
    throw new WebhookError('TOO_OLD', `The delivery is older than ${toleranceMs} ms`);
  }
  if (sentAtMs > nowMs + toleranceMs) {
    throw new WebhookError('TOO_NEW', `The delivery is from more than ${toleranceMs} ms ahead`);
  }
  return sentAtMs;
}

async function importSecret(secret: string) {
  const text = secret.startsWith(SECRET_PREFIX) ? secret.slice(SECRET_PREFIX.length) : secret;
  try {
    const bytes = decodeBase64(text);
    const algorithm = { name: 'HMAC', hash: 'SHA-256' };
    return await crypto.subtle.importKey('raw', bytes, algorithm, false, ['verify']);
  } catch (error) {
    const expected = `expected ${SECRET_PREFIX} and base64`;
    throw new WebhookError('BAD_SECRET', `The secret cannot be read, ${expected}`, error);
  }
}

function concatenate(first: Uint8Array, second: Uint8Array): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(first.byteLength + second.byteLength);
  whole.set(first);
  whole.set(second, first.byteLength);
  return whole;
}

function parse(body: Uint8Array): unknown {
  try {
    return readJson(new TextDecoder().decode(body));
  } catch (error) {
    throw new WebhookError('BAD_PAYLOAD', 'The body is genuine, but it is not JSON', error);
  }
}
