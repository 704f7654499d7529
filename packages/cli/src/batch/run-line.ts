import { setTimeout as delay } from 'node:timers/promises';
import type { WirePrediction } from '@quern/contract';
import type { ApiClient, NewPrediction } from '../api-client.ts';
import { ApiRefusal } from '../api-errors.ts';
import { awaitPrediction, pauseAfter } from '../predict/await-prediction.ts';

const WAIT_SECONDS = 30;
/** How long the API may be away. A queue that is full is waited for as long as it is. */
const PATIENCE_MS = 60_000;
/** What is wrong with all lines alike: the batch stops at it. */
const GENERAL_CODES: ReadonlySet<string> = new Set([
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'MODEL_NOT_FOUND',
  'VERSION_NOT_FOUND',
]);

/**
 * Makes the prediction of one line and waits for its end. When the signal is aborted, the API cancels
 * what has not started.
 * @throws ApiRefusal for what is wrong with this line alone, as `isOfOneLine` tells, or with all;
 *   ApiUnreachable; the signal's reason
 */
export async function runLine(
  client: ApiClient,
  order: NewPrediction,
  signal: AbortSignal,
): Promise<WirePrediction> {
  const accepted = await createPatiently(client, order, signal);
  try {
    const watch = { signal, waitSeconds: WAIT_SECONDS, patienceMs: PATIENCE_MS };
    return await awaitPrediction(client, accepted, { ...watch, onStatus: () => {} });
  } catch (error) {
    // Nobody will read it: the line is predicted anew when the batch goes on.
    if (signal.aborted) await client.cancel(accepted.id).catch(() => {});
    throw error;
  }
}

async function createPatiently(
  client: ApiClient,
  order: NewPrediction,
  signal: AbortSignal,
): Promise<WirePrediction> {
  const startedAtMs = performance.now();
  for (;;) {
    try {
      return await client.create(order, { signal, waitSeconds: WAIT_SECONDS });
    } catch (error) {
      const pauseMs = pauseAfter(error);
      const isFull = error instanceof ApiRefusal && error.status === 429;
      const isOver = !isFull && performance.now() - startedAtMs > PATIENCE_MS;
      if (signal.aborted || pauseMs === undefined || isOver) throw error;
      await delay(pauseMs, undefined, { signal });
    }
  }
}

/** Whether other lines may do better. */
export function isOfOneLine(error: unknown): error is ApiRefusal {
  return (
    error instanceof ApiRefusal && pauseAfter(error) === undefined && !GENERAL_CODES.has(error.code)
  );
}
