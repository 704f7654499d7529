import { toQuernError } from '@quern/contract';
import type { PredictionQueue } from '@quern/queue';
import { Router } from 'express';

/** `/health/live`: the process answers. `/health/ready`: Redis answers it. Open to everybody. */
export function healthRoutes(queue: PredictionQueue): Router {
  const router = Router();
  router.get('/health/live', (_request, response) => {
    response.json({ live: true });
  });
  router.get('/health/ready', async (_request, response) => {
    const fault = await queue.ping().then(() => undefined, toQuernError);
    if (fault === undefined) response.json({ ready: true });
    else response.status(503).json({ ready: false, reason: fault.code });
  });
  return router;
}
