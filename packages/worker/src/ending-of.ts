import { EntryDropped } from '@quern/batcher';
import { QuernError } from '@quern/contract';
import { canceledError, expiredError, type QueuedPrediction, ReturnToQueue } from '@quern/queue';
import { RunnerFault } from '@quern/runtime';

/** A prediction for a version that is not ready here goes back to the queue for this long. */
export const NOT_READY_DELAY_MS = 500;

/** A prediction whose payload cannot be read or written goes back to the queue for this long. */
const STORE_AWAY_DELAY_MS = 2000;

/**
 * What the queue is told of a prediction that has no result here.
 * @param error what its batch, or the batcher, ended it with
 * @param isStopping the worker shuts down: what that has ended is nobody's fault
 * @returns a ReturnToQueue if it may still run, else how it has failed
 */
export function endingOf(error: unknown, { data }: QueuedPrediction, isStopping: boolean): unknown {
  if (error instanceof EntryDropped) return endingOfDropped(error, data.rows);
  // No model saw it, or its runner was ended for another's sake: another runner or worker may run it.
  if (error instanceof RunnerFault && (!error.started || error.code === 'SHUTTING_DOWN')) {
    return new ReturnToQueue(error.message, isStopping ? 0 : NOT_READY_DELAY_MS);
  }
  // The storage is away, as Redis may be: what was accepted waits for it.
  if (error instanceof QuernError && error.code === 'BLOB_STORE_UNAVAILABLE') {
    return new ReturnToQueue(error.message, isStopping ? 0 : STORE_AWAY_DELAY_MS);
  }
  if (isStopping && error instanceof QuernError && error.retryable) {
    return new ReturnToQueue(error.message);
  }
  return error;
}

function endingOfDropped(error: EntryDropped, rows: number): Error {
  switch (error.reason) {
    case 'aborted':
      return canceledError();
    case 'expired':
      return expiredError();
    case 'oversized':
      return new QuernError('INVALID_INPUT', `${rows} rows are more than one batch takes.`);
    default:
      // At once: another worker may be ready, and this one does not fetch if none of it is.
      return new ReturnToQueue(error.message);
  }
}
