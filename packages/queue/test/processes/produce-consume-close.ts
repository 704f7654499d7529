import { Consumer, connectRedis, Housekeeping, openBullQueue, PredictionQueue } from '@quern/queue';
import { echo, servedModel, submissionTo } from '../workbench.ts';

/** Uses everything once, closes it, and must then end by itself: nothing may be left open. */
const [url = '', model = ''] = process.argv.slice(2);
const queue = await PredictionQueue.open({ redisUrl: url, name: 'child' });
const redis = await connectRedis({
  url,
  role: 'worker',
  name: 'child',
  waitMs: 10_000,
  onError: () => {},
});
const consumer = new Consumer({
  redis,
  model,
  workerName: 'child',
  concurrency: 4,
  lockDurationMs: 30_000,
  stalledIntervalMs: 30_000,
  onError: (error) => console.error(error),
  handler: (prediction) => echo(redis, prediction),
});
consumer.start();
const bull = openBullQueue(redis, model);
const { queue: settings } = servedModel(model);
const housekeeping = new Housekeeping({
  redis,
  queues: () => [{ queue: bull, settings }],
  onError: (error) => console.error(error),
});
housekeeping.start();
const target = await queue.registry.resolve(model);
const { prediction } = await queue.submit(submissionTo(target), { timeoutMs: 20_000 });
console.log(prediction.status);
// A wait that nobody awaits any more, and that lasts for longer than the test.
void queue
  .wait(
    (await queue.submit(submissionTo({ ...target, model: servedAs('nobody') }))).prediction.id,
    {
      timeoutMs: 600_000,
    },
  )
  .catch(() => {});
await consumer.close();
await housekeeping.close();
await bull.close();
await queue.close();
redis.disconnect();
console.log('closed');

function servedAs(name: string): typeof target.model {
  return { ...target.model, name };
}
