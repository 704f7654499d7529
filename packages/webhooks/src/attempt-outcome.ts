import { QuernError } from '@quern/contract';
import type { EgressAnswer } from '@quern/egress';
import { readRetryAfter } from './retry-schedule.ts';

/** How one request to a receiver ended. */
export type AttemptOutcome =
  | { readonly type: 'delivered'; readonly status: number }
  /** 410: the receiver wants nothing more. */
  | { readonly type: 'gone'; readonly reason: string }
  /** Nothing that time mends. */
  | { readonly type: 'hopeless'; readonly reason: string }
  | {
      readonly type: 'failed';
      readonly reason: string;
      /** Whether the whole receiver is in trouble, not only this URL. */
      readonly isReceiverDown: boolean;
      readonly retryAfterMs?: number;
    };

const ASKS_FOR_PATIENCE: ReadonlySet<number> = new Set([429, 503]);

/** What an answer means: 2xx alone is success, and redirects are not followed. */
export function outcomeOfAnswer(answer: EgressAnswer, nowMs: number): AttemptOutcome {
  const { status, headers } = answer;
  if (status >= 200 && status < 300) return { type: 'delivered', status };
  if (status === 410) return { type: 'gone', reason: 'it answered 410 Gone' };
  const isRedirect = status >= 300 && status < 400;
  const reason = isRedirect
    ? `it answered ${status}, and redirects are not followed`
    : `it answered ${status}`;
  const retryAfterMs = ASKS_FOR_PATIENCE.has(status)
    ? readRetryAfter(headers['retry-after'], nowMs)
    : undefined;
  return {
    type: 'failed',
    reason,
    isReceiverDown: status >= 500 || status === 429,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  };
}

/** What a request that got no answer means. */
export function outcomeOfFault(error: unknown): AttemptOutcome {
  if (!(error instanceof QuernError)) throw error;
  if (error.code === 'INVALID_REQUEST') return { type: 'hopeless', reason: error.message };
  const isReceiverDown = error.code === 'FOREIGN_HOST_FAILED';
  return { type: 'failed', reason: error.message, isReceiverDown };
}
