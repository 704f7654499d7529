import { setTimeout as delay } from 'node:timers/promises';
import { isTerminal, type PredictionStatus, type WirePrediction } from '@quern/contract';
import type { ApiClient } from '../api-client.ts';
import { ApiRefusal, ApiUnreachable } from '../api-errors.ts';

export interface AwaitOptions {
  readonly signal: AbortSignal;
  /** Told of each status as it is seen. */
  readonly onStatus: (status: PredictionStatus) => void;
  /** How long one call may be kept waiting. */
  readonly waitSeconds: number;
  /** How long the API may be away while the prediction goes on. Default 30 s. */
  readonly patienceMs?: number;
}

const PATIENCE_MS = 30_000;
const RETRY_DELAY_MS = 500;

/**
 * Waits by long polls until an accepted prediction has ended. An API that is away for a moment is
 * asked again: the prediction is safe in the queue.
 * @throws ApiUnreachable, ApiRefusal, or the signal's reason
 */
export async function awaitPrediction(
  client: ApiClient,
  accepted: WirePrediction,
  options: AwaitOptions,
): Promise<WirePrediction> {
  const { signal, waitSeconds, onStatus } = options;
  const patienceMs = options.patienceMs ?? PATIENCE_MS;
  let prediction = accepted;
  let lastAnswerAtMs = performance.now();
  for (;;) {
    onStatus(prediction.status);
    if (isTerminal(prediction.status)) return prediction;
    try {
      prediction = await client.get(prediction.id, { signal, waitSeconds });
      lastAnswerAtMs = performance.now();
    } catch (error) {
      const pauseMs = pauseAfter(error);
      const isOver = performance.now() - lastAnswerAtMs > patienceMs;
      if (signal.aborted || pauseMs === undefined || isOver) throw error;
      await delay(pauseMs, undefined, { signal });
    }
  }
}

/** How long to wait before asking again; undefined if that is of no use. */
export function pauseAfter(error: unknown): number | undefined {
  if (error instanceof ApiUnreachable) return RETRY_DELAY_MS;
  if (!(error instanceof ApiRefusal) || (error.status !== 503 && error.status !== 429)) {
    return undefined;
  }
  return (error.retryAfterSeconds ?? 0) * 1000 || RETRY_DELAY_MS;
}
