import type { WorkerRecord } from '@quern/contract';
import type { RegistryReader } from './registry-reader.ts';

/** How live workers have taken a wish so far. */
export interface WishOutcome {
  /** Workers that are alive. */
  readonly workers: number;
  /** Of these, those that have not taken it yet. */
  readonly pending: number;
  readonly loaded: number;
  /** Without a folder for the model. */
  readonly absent: number;
  /** Why workers could not load it, each reason once. */
  readonly failures: readonly string[];
}

export function wishOutcome(
  workers: readonly WorkerRecord[],
  model: string,
  revision: number,
): WishOutcome {
  const taken = workers.flatMap(({ wishes }) => {
    const wish = wishes?.[model];
    return wish === undefined || wish.revision < revision ? [] : [wish];
  });
  const count = (outcome: (typeof taken)[number]['outcome']): number =>
    taken.filter((wish) => wish.outcome === outcome).length;
  const failed = taken.filter(({ outcome }) => outcome === 'failed');
  return {
    workers: workers.length,
    pending: workers.length - taken.length,
    loaded: count('loaded'),
    absent: count('absent'),
    failures: [...new Set(failed.map(({ reason }) => reason ?? 'no reason was given'))],
  };
}

export interface WishWaitOptions {
  readonly timeoutMs: number;
  /** Ends the wait early. */
  readonly signal?: AbortSignal | undefined;
}

/** Waits until every live worker has taken a wish, or the time is over. */
export async function untilTaken(
  registry: RegistryReader,
  { model, revision }: { readonly model: string; readonly revision: number },
  { timeoutMs, signal }: WishWaitOptions,
): Promise<WishOutcome> {
  // Workers may have come or gone that this process does not know of yet.
  await registry.refresh();
  return new Promise((resolve) => {
    const look = (): WishOutcome => wishOutcome(registry.workers(), model, revision);
    const finish = (): void => {
      clearTimeout(timer);
      stopListening();
      signal?.removeEventListener('abort', finish);
      resolve(look());
    };
    const timer = setTimeout(finish, timeoutMs);
    const finishIfTaken = (): void => {
      if (look().pending === 0) finish();
    };
    const stopListening = registry.onRefresh(finishIfTaken);
    signal?.addEventListener('abort', finish, { once: true });
    if (signal?.aborted === true) finish();
    else finishIfTaken();
  });
}
