import { ApiError, ConnectionError } from './errors.ts';

const FIRST_PAUSE_MS = 200;
const MAX_PAUSE_MS = 10_000;
/** A server that wants more patience than this is not waited for. */
const MAX_RETRY_AFTER_MS = 120_000;

/** Statuses of faults that pass; 500 is not one of them. */
const PASSING_STATUSES: ReadonlySet<number> = new Set([408, 425, 429, 502, 503, 504]);
/** What the server has said it did not do may be sent again, whatever it is. */
const REFUSED_STATUSES: ReadonlySet<number> = new Set([425, 429]);

export interface RetryRules {
  /** Retries after the first attempt. */
  readonly retries: number;
  /** Whether sending it twice does no harm. */
  readonly isRepeatable: boolean;
  /** A full queue is waited for as long as it takes, without counting. */
  readonly isPatient: boolean;
}

/** How one call's attempts go on. */
export class RetryCount {
  readonly #rules: RetryRules;
  #retries = 0;
  #pauses = 0;

  constructor(rules: RetryRules) {
    this.#rules = rules;
  }

  /** How long to wait before the next attempt; undefined if there is to be none. */
  pauseAfter(error: unknown): number | undefined {
    if (!this.#isWorthwhile(error)) return undefined;
    const isFull = error instanceof ApiError && error.code === 'QUEUE_FULL';
    if (!(isFull && this.#rules.isPatient)) {
      if (this.#retries >= this.#rules.retries) return undefined;
      this.#retries += 1;
    }
    const askedMs = error instanceof ApiError ? error.retryAfterMs : undefined;
    if (askedMs !== undefined && askedMs > MAX_RETRY_AFTER_MS) return undefined;
    const backoffMs = Math.min(FIRST_PAUSE_MS * 2 ** this.#pauses, MAX_PAUSE_MS);
    this.#pauses += 1;
    // Jitter, so that those who were refused together do not come back together; but never too early.
    return askedMs === undefined
      ? backoffMs * (0.5 + Math.random() / 2)
      : askedMs * (1 + Math.random() / 4);
  }

  #isWorthwhile(error: unknown): boolean {
    if (error instanceof ApiError) {
      if (REFUSED_STATUSES.has(error.status)) return true;
      return PASSING_STATUSES.has(error.status) && this.#rules.isRepeatable;
    }
    const isAnswered = !(error instanceof ConnectionError) || error.code === 'BAD_ANSWER';
    return !isAnswered && this.#rules.isRepeatable;
  }
}

/** The time that a `Retry-After` header asks for, in seconds or as a date. */
export function retryAfterMs(header: string | null, nowMs = Date.now()): number | undefined {
  if (header === null) return undefined;
  if (/^\s*\d+(?:\.\d+)?\s*$/.test(header)) return Number(header) * 1000;
  const atMs = Date.parse(header);
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - nowMs);
}
