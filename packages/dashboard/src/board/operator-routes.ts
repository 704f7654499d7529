import { isTerminal, type Prediction } from '@quern/contract';
import type { PredictionQueue } from '@quern/queue';
import type { Job, Queue } from 'bullmq';
import { type NextFunction, type Request, type Response, Router } from 'express';
import { refuse } from '../access/refusal.ts';

const PAGE_SIZE = 100;

export interface OperatorDeps {
  readonly queue: PredictionQueue;
  /** The BullMQ queue of a model that is on the board. */
  readonly queueOf: (model: string) => Queue | undefined;
}

/**
 * Operations of the board that mean something else for predictions than for jobs; they go before the
 * board's own. What they do not answer, the board does.
 *
 * - Removing a prediction that has not ended cancels it, so that its client hears of it.
 * - Retrying is for failed predictions: a canceled one stays canceled, an expired one would expire
 *   again, and the answer of one that succeeded does not change.
 */
export function operatorRoutes(deps: OperatorDeps): Router {
  const router = Router();
  router.put('/api/queues/:model/:id/clean', (request, response, next) =>
    cancelUnlessEnded(deps, request, response, next),
  );
  router.put('/api/queues/:model/:id/retry', (request, response, next) =>
    refuseUnlessFailed(deps, request, response, next),
  );
  router.put('/api/queues/:model/retry/:status', (request, response, next) =>
    retryFailed(deps, request, response, next),
  );
  return router;
}

type PathRequest = Request<{ model: string; id?: string; status?: string }>;

async function cancelUnlessEnded(
  { queue }: OperatorDeps,
  request: PathRequest,
  response: Response,
  next: NextFunction,
): Promise<void> {
  const prediction = await predictionOf(queue, request);
  if (prediction === undefined || isTerminal(prediction.status)) {
    next();
    return;
  }
  await queue.cancel(prediction.id);
  response.status(204).end();
}

async function refuseUnlessFailed(
  { queue }: OperatorDeps,
  request: PathRequest,
  response: Response,
  next: NextFunction,
): Promise<void> {
  const prediction = await predictionOf(queue, request);
  if (prediction === undefined || mayRetry(prediction)) {
    next();
    return;
  }
  const message = `The prediction is ${prediction.status}; only a failed one can be retried.`;
  refuse(response, 'FORBIDDEN', message);
}

async function predictionOf(
  queue: PredictionQueue,
  { params }: PathRequest,
): Promise<Prediction | undefined> {
  const prediction = params.id === undefined ? undefined : await queue.get(params.id);
  return prediction?.model === params.model ? prediction : undefined;
}

function mayRetry({ status }: Prediction): boolean {
  return status === 'failed';
}

async function retryFailed(
  { queue, queueOf }: OperatorDeps,
  request: PathRequest,
  response: Response,
  next: NextFunction,
): Promise<void> {
  const { model, status } = request.params;
  const bullQueue = queueOf(model);
  if (bullQueue === undefined) {
    next();
    return;
  }
  if (status !== 'failed') {
    refuse(response, 'FORBIDDEN', 'Only failed predictions can be retried.');
    return;
  }
  const retried = await retryAllFailed(queue, bullQueue);
  // The board explains what was skipped as lost data, which it is not.
  response.json({ retried, skipped: 0 });
}

/**
 * Retries every failed prediction that has failed by now, page by page; those that fail again
 * meanwhile are left.
 */
async function retryAllFailed(queue: PredictionQueue, bullQueue: Queue): Promise<number> {
  const total = await bullQueue.getFailedCount();
  const seen = new Set<string>();
  let retried = 0;
  // What stays in the set moves the next page on.
  let offset = 0;
  while (seen.size < total) {
    const jobs = await bullQueue.getJobs(['failed'], offset, offset + PAGE_SIZE - 1);
    if (jobs.length === 0) break;
    const outcomes = await Promise.all(
      jobs.map((job) => (isNew(job, seen) ? retryIfFailed(queue, job) : false)),
    );
    const retriedNow = outcomes.filter(Boolean).length;
    retried += retriedNow;
    offset += jobs.length - retriedNow;
  }
  return retried;
}

function isNew(job: Job, seen: Set<string>): boolean {
  const id = job.id ?? '';
  if (seen.has(id)) return false;
  seen.add(id);
  return true;
}

async function retryIfFailed(queue: PredictionQueue, job: Job): Promise<boolean> {
  const prediction = await queue.get(job.id ?? '');
  if (prediction !== undefined && !mayRetry(prediction)) return false;
  // Somebody else may have retried or removed it just now.
  return job.retry('failed').then(
    () => true,
    () => false,
  );
}
