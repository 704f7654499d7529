/** Failures in a row after which a receiver counts as down. */
const FAILURES_TO_OPEN = 5;
const MIN_OPEN_MS = 10_000;
const MAX_OPEN_MS = 600_000;
/** What waits for a receiver that is down comes back at this distance, not all at once. */
const SPACING_MS = 20;
/** What finds all places of a receiver taken comes back after this, or later. */
const BUSY_PAUSE_MS = 100;
const MEAN_WEIGHT = 0.2;

/** What is known of one receiver. */
interface Receiver {
  running: number;
  failures: number;
  openForMs: number;
  /** Nothing is sent before. */
  openAtMs: number;
  /** Where the next postponed delivery stands. */
  nextPlaceMs: number;
  meanMs: number;
}

/** A place at a receiver; it must be left. */
export interface Place {
  readonly leave: (how: {
    /** Unknown: it was broken off, or failed on our side. */
    readonly receiver: 'up' | 'down' | 'unknown';
    readonly timeMs: number;
    /** The receiver asked to be left alone for so long. */
    readonly pauseMs?: number | undefined;
  }) => void;
}

export type Entrance =
  | { readonly type: 'admitted'; readonly place: Place }
  | { readonly type: 'postponed'; readonly untilMs: number };

export interface ReceiverGatesOptions {
  /** Requests to one receiver at a time. */
  readonly concurrencyPerOrigin: number;
  readonly now?: () => number;
}

/**
 * Keeps a receiver that is slow or dead from taking the places of others. Each receiver (an origin) has
 * a few places, and a circuit breaker:
 *
 * - closed: as many requests as there are places. Five failures in a row (no answer, 5xx, 429) open it.
 * - open: nothing is sent for 10 s, then twice as long each time, up to 10 minutes.
 * - half open, when that is over: one request at a time. Success closes the breaker, failure opens it.
 *
 * Who is not admitted is told when to come again, each a little after the other.
 */
export class ReceiverGates {
  readonly #limit: number;
  readonly #now: () => number;
  readonly #receivers = new Map<string, Receiver>();

  constructor(options: ReceiverGatesOptions) {
    this.#limit = options.concurrencyPerOrigin;
    this.#now = options.now ?? Date.now;
  }

  /** How many receivers count as down. */
  get down(): number {
    return [...this.#receivers.values()].filter(isDown).length;
  }

  enter(origin: string): Entrance {
    const nowMs = this.#now();
    const receiver = this.#receivers.get(origin) ?? newReceiver();
    this.#receivers.set(origin, receiver);
    const limit = isDown(receiver) ? 1 : this.#limit;
    if (nowMs >= receiver.openAtMs && receiver.running < limit) {
      receiver.running += 1;
      return { type: 'admitted', place: this.#place(origin, receiver) };
    }
    const fromMs = Math.max(receiver.openAtMs, nowMs + BUSY_PAUSE_MS);
    const untilMs = Math.max(receiver.nextPlaceMs, fromMs);
    receiver.nextPlaceMs = untilMs + Math.max(SPACING_MS, receiver.meanMs / limit);
    return { type: 'postponed', untilMs };
  }

  #place(origin: string, receiver: Receiver): Place {
    let isLeft = false;
    return {
      leave: ({ receiver: found, timeMs, pauseMs = 0 }) => {
        if (isLeft) return;
        isLeft = true;
        receiver.running -= 1;
        receiver.meanMs += (timeMs - receiver.meanMs) * MEAN_WEIGHT;
        if (found === 'down') receiver.failures += 1;
        if (found === 'up') receiver.failures = 0;
        const nowMs = this.#now();
        const mayOpen = found === 'down' && nowMs >= receiver.openAtMs;
        if (mayOpen && isDown(receiver)) this.#open(receiver, nowMs);
        if (!isDown(receiver)) receiver.openForMs = 0;
        receiver.openAtMs = Math.max(receiver.openAtMs, nowMs + Math.min(pauseMs, MAX_OPEN_MS));
        this.#forgetIdle(origin, receiver, nowMs);
      },
    };
  }

  #open(receiver: Receiver, nowMs: number): void {
    receiver.openForMs = Math.min(MAX_OPEN_MS, Math.max(MIN_OPEN_MS, receiver.openForMs * 2));
    receiver.openAtMs = nowMs + receiver.openForMs;
  }

  /** Of a receiver that is well nothing needs to be remembered. */
  #forgetIdle(origin: string, receiver: Receiver, nowMs: number): void {
    const isWell = receiver.failures === 0 && nowMs >= receiver.openAtMs;
    if (isWell && receiver.running === 0 && nowMs >= receiver.nextPlaceMs) {
      this.#receivers.delete(origin);
    }
  }
}

function newReceiver(): Receiver {
  return { running: 0, failures: 0, openForMs: 0, openAtMs: 0, nextPlaceMs: 0, meanMs: 0 };
}

function isDown({ failures }: Receiver): boolean {
  return failures >= FAILURES_TO_OPEN;
}
