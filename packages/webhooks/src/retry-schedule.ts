const UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** Pauses grow by up to this part, so that what failed together does not come back together. */
const JITTER = 0.2;
const MAX_RETRY_AFTER_MS = 24 * 3_600_000;
/** Also with a short schedule a busy receiver is waited for. */
const MIN_LIFETIME_MS = 24 * 3_600_000;

/** A duration such as `90s`, `5m` or `2h` in ms; undefined if it is none. */
export function readDuration(text: string): number | undefined {
  const [, digits, unit = ''] = /^(\d{1,7})(ms|s|m|h)$/.exec(text) ?? [];
  const unitMs = UNITS_MS[unit];
  return digits === undefined || unitMs === undefined ? undefined : Number(digits) * unitMs;
}

/** When a delivery is tried again, and when no more. */
export class RetrySchedule {
  readonly #pausesMs: readonly number[];
  readonly #random: () => number;

  /** @param pauses durations between the attempts */
  constructor(pauses: readonly string[], random: () => number = Math.random) {
    this.#pausesMs = pauses.map((text) => readDuration(text) ?? 0);
    this.#random = random;
  }

  /** How long a delivery is tried at all: also one that is only ever postponed ends then. */
  get lifetimeMs(): number {
    const sumMs = this.#pausesMs.reduce((sum, pauseMs) => sum + pauseMs, 0);
    return Math.max(sumMs * (1 + JITTER), MIN_LIFETIME_MS);
  }

  /**
   * The pause after an attempt.
   * @param attempt the one that failed, from 1
   * @param retryAfterMs what the receiver asked for; it is never asked earlier
   * @returns undefined after the last attempt
   */
  pauseAfter(attempt: number, retryAfterMs = 0): number | undefined {
    const pauseMs = this.#pausesMs[attempt - 1];
    if (pauseMs === undefined) return undefined;
    const jittered = pauseMs * (1 + JITTER * this.#random());
    return Math.max(jittered, Math.min(retryAfterMs, MAX_RETRY_AFTER_MS));
  }
}

/** A `Retry-After` header, in seconds or as a date, in ms from now; undefined if it says nothing. */
export function readRetryAfter(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d{1,9}$/.test(header.trim())) return Number(header) * 1000;
  const atMs = Date.parse(header);
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - nowMs);
}
