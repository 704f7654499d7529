/** An abort signal that also fires when time is up. `end` must be called when it is of no more use. */
export interface TimeLimit {
  readonly signal: AbortSignal;
  readonly end: () => void;
}

/**
 * Joins a caller's signal with a limit of time. Not `AbortSignal.any` and `AbortSignal.timeout`, which
 * leave timers and listeners behind at a signal that lives long.
 * @param timeoutMs undefined for no limit
 * @param reason makes the error to abort with when time is up
 */
export function limitTime(
  outer: AbortSignal | undefined,
  timeoutMs: number | undefined,
  reason: () => unknown,
): TimeLimit {
  const controller = new AbortController();
  const onAbort = (): void => controller.abort(outer?.reason);
  if (outer?.aborted === true) onAbort();
  outer?.addEventListener('abort', onAbort, { once: true });
  const timer =
    timeoutMs === undefined ? undefined : setTimeout(() => controller.abort(reason()), timeoutMs);
  return {
    signal: controller.signal,
    end: () => {
      clearTimeout(timer);
      outer?.removeEventListener('abort', onAbort);
    },
  };
}

/** An abort signal that also fires after a time without a sign of life. `end` must be called; it fires then. */
export interface SilenceLimit {
  readonly signal: AbortSignal;
  readonly heard: () => void;
  readonly end: () => void;
}

/** @param reason makes the error to abort with when nothing was heard for so long */
export function limitSilence(
  outer: AbortSignal | undefined,
  silenceMs: number,
  reason: () => unknown,
): SilenceLimit {
  const controller = new AbortController();
  const onAbort = (): void => controller.abort(outer?.reason);
  const start = () => setTimeout(() => controller.abort(reason()), silenceMs);
  let timer = start();
  if (outer?.aborted === true) onAbort();
  outer?.addEventListener('abort', onAbort, { once: true });
  return {
    signal: controller.signal,
    heard: () => {
      clearTimeout(timer);
      timer = start();
    },
    end: () => {
      clearTimeout(timer);
      outer?.removeEventListener('abort', onAbort);
      controller.abort();
    },
  };
}

/** Resolves after a time. @throws the signal's reason when it is aborted */
export function pause(timeMs: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason);
      return;
    }
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, timeMs);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
