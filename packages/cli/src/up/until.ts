import { setTimeout as delay } from 'node:timers/promises';

const INTERVAL_MS = 20;

/**
 * Asks again and again until the answer is not undefined.
 * @returns the answer; undefined when the time is over or the signal is aborted
 */
export async function until<T>(
  ask: () => Promise<T | undefined> | T | undefined,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<T | undefined> {
  const deadlineMs = performance.now() + timeoutMs;
  while (signal?.aborted !== true) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (performance.now() >= deadlineMs) return undefined;
    await delay(INTERVAL_MS, undefined, signal === undefined ? {} : { signal }).catch(() => {});
  }
  return undefined;
}
