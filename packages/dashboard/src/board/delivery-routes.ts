import { DELIVERY_QUEUE, type PredictionQueue } from '@quern/queue';
import { type RequestHandler, Router } from 'express';
import { refuse } from '../access/refusal.ts';

/**
 * Operations of the board that mean something else for deliveries of webhooks than for jobs; they go
 * before the board's own.
 *
 * - Retrying is a replay: with the whole schedule again, and to a receiver that was gone, too.
 * - One that has not ended cannot be removed: its receiver would never be told.
 */
export function deliveryRoutes({ webhooks }: PredictionQueue): Router {
  const router = Router();
  const path = `/api/queues/${DELIVERY_QUEUE}`;
  router.put(`${path}/retry/failed`, async (_request, response) => {
    response.json({ retried: await webhooks.replayFailed(), skipped: 0 });
  });
  router.put(`${path}/:id/retry`, async (request, response) => {
    const delivery = await webhooks.replay(request.params.id);
    if (delivery === undefined)
      refuse(response, 'DELIVERY_NOT_FOUND', 'There is no such delivery.');
    else response.status(204).end();
  });
  const refuseUnlessEnded: RequestHandler<{ id: string }> = async (request, response, next) => {
    const { delivery } = (await webhooks.get(request.params.id)) ?? {};
    const isOpen = delivery?.state === 'waiting' || delivery?.state === 'delivering';
    if (isOpen) refuse(response, 'FORBIDDEN', 'Its receiver would never be told.');
    else next();
  };
  router.put(`${path}/:id/clean`, refuseUnlessEnded);
  return router;
}
