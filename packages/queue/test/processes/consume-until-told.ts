import { Consumer, connectRedis } from '@quern/queue';
import { echo } from '../workbench.ts';

/**
 * A worker in a process of its own: takes predictions of the model in `argv` and holds each for a while
 * before it answers; `argv` also says whether it holds the first ones for ever.
 */
const [url = '', model = '', holds = ''] = process.argv.slice(2);
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
  workerName: `child-${process.pid}`,
  concurrency: 16,
  lockDurationMs: 400,
  stalledIntervalMs: 200,
  onError: (error) => console.error(error.message),
  handler: async (prediction) => {
    console.log(`holds ${prediction.id}`);
    if (holds === 'forever') await new Promise(() => {});
    return echo(redis, prediction);
  },
});
consumer.start();
