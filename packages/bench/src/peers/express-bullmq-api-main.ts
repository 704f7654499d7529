import { Queue, QueueEvents } from 'bullmq';
import express from 'express';
import { Redis } from 'ioredis';

/** The HTTP half of what somebody would build in an afternoon: a job for each request, and its result. */
const url = process.env['PEER_REDIS_URL'] ?? '';
const connection = new Redis(url, { maxRetriesPerRequest: null });
const queue = new Queue('afternoon', { connection });
const events = new QueueEvents('afternoon', {
  connection: new Redis(url, { maxRetriesPerRequest: null }),
});
// Each request waits on this one.
events.setMaxListeners(0);
await events.waitUntilReady();

const app = express();
app.use(express.json({ limit: '32mb' }));
app.post('/predict', async (request, response) => {
  const job = await queue.add('predict', request.body, { removeOnComplete: 1000 });
  response.json(await job.waitUntilFinished(events));
});
app.listen(Number(process.env['PEER_PORT']), '127.0.0.1');
