import type { BeforeHook, BeforeHookResult } from '@bull-board/api/typings/app';

/**
 * What an operator may do on the board. Everything that changes something and is not listed is
 * refused, so that a button which a new release of Bull Board brings does nothing until it is thought
 * about. An accepted prediction must reach an end that its client can read: nothing here may lose one
 * that has none yet, make a prediction out of something else than the API's checked input, or change
 * the answer of one that succeeded.
 */
const ALLOWED: ReadonlySet<string> = new Set([
  'put /api/queues/pause',
  'put /api/queues/resume',
  'put /api/queues/:queueName/pause',
  'put /api/queues/:queueName/resume',
  'put /api/queues/:queueName/promote',
  'put /api/queues/:queueName/rate-limit/release',
  'put /api/queues/:queueName/:jobId/promote',
  'put /api/queues/:queueName/:jobId/retry',
  'put /api/queues/:queueName/:jobId/clean',
]);

const BATCHES =
  'Batches are formed from what a worker holds: a limit here would only make them small. Set batching and instances in model.yaml, or pause the queue.';
const CHECKED_INPUT =
  'Predictions are made over the API, which checks their input against the model.';
const EMPTYING =
  'Predictions that wait would vanish without an answer to their clients. Remove them one by one (they end as canceled), or pause the queue.';

const REASONS: Readonly<Record<string, string>> = {
  'post /api/queues/:queueName/add': CHECKED_INPUT,
  'patch /api/queues/:queueName/:jobId/update-data': CHECKED_INPUT,
  'put /api/queues/:queueName/empty': EMPTYING,
  'put /api/queues/:queueName/obliterate': EMPTYING,
  'put /api/queues/:queueName/concurrency': BATCHES,
  'put /api/queues/:queueName/rate-limit': BATCHES,
};

/** Statuses whose jobs all have ended. */
const ENDED_STATUSES: ReadonlySet<string> = new Set(['completed', 'failed']);

/** Decides on each call to the board that a signed-in operator makes. */
export const judgeOperation: BeforeHook = ({ method, route, request }) => {
  if (method === 'get') return { allow: true };
  const operation = `${method} ${route}`;
  if (ALLOWED.has(operation)) return { allow: true };
  if (operation === 'put /api/queues/:queueName/clean/:queueStatus') {
    return ENDED_STATUSES.has(String(request.params['queueStatus']))
      ? { allow: true }
      : refusal(EMPTYING);
  }
  return refusal(REASONS[operation] ?? "Quern's board does not do this.");
};

function refusal(message: string): BeforeHookResult {
  return { allow: false, status: 403, errorKey: 'ERRORS.FORBIDDEN', message };
}
