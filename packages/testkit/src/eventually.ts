const INTERVAL_MS = 20;

/**
 * Waits until a check passes: it may throw or return false as often as it likes before the time is over.
 * @param timeoutMs default 10 s
 * @returns what the check returned
 * @throws the last failure when the time is over
 */
export async function eventually<T>(check: () => T | Promise<T>, timeoutMs = 10_000): Promise<T> {
  const deadlineMs = performance.now() + timeoutMs;
  for (;;) {
    let failure: unknown;
    try {
      const value = await check();
      if (value !== false) return value;
      failure = new Error(`The condition did not hold within ${timeoutMs} ms`);
    } catch (error) {
      failure = error;
    }
    if (performance.now() > deadlineMs) throw failure;
    await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS));
  }
}
