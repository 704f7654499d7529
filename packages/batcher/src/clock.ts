/** Time as the batcher sees it. Everything it does can be replayed on another clock. */
export interface Clock {
  /** Milliseconds since the Unix epoch, with fractions. */
  nowMs(): number;
  /** Calls `fn` once, not before `atMs`; the function returned calls it off. */
  setTimer(atMs: number, fn: () => void): () => void;
  /** Calls `fn` once all that happens at this moment has happened, so that a burst is seen whole. */
  soon(fn: () => void): void;
}

/** The longest that `setTimeout` can wait; longer waits are cut in pieces. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

/** Past this distance the wall clock was set, or the machine slept, and it is followed. */
const TOLERATED_DRIFT_MS = 20;

/**
 * The time of day at the resolution of `performance.now()`. It does not jump with small corrections
 * of the system's clock and does follow large ones.
 */
export function createRealClock(): Clock {
  let offsetMs = Date.now() - performance.now();
  const clock: Clock = {
    nowMs() {
      const wallMs = Date.now();
      const nowMs = offsetMs + performance.now();
      if (Math.abs(wallMs - nowMs) <= TOLERATED_DRIFT_MS) return nowMs;
      offsetMs += wallMs - nowMs;
      return wallMs;
    },
    setTimer(atMs, fn) {
      let timeout: NodeJS.Timeout;
      const arm = (): void => {
        const waitMs = Math.max(0, Math.ceil(atMs - clock.nowMs()));
        timeout =
          waitMs > LONGEST_TIMEOUT_MS
            ? setTimeout(arm, LONGEST_TIMEOUT_MS)
            : setTimeout(fn, waitMs);
      };
      arm();
      return () => clearTimeout(timeout);
    },
    soon(fn) {
      setImmediate(fn);
    },
  };
  return clock;
}

export const realClock: Clock = createRealClock();
