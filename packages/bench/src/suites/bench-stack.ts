import { PredictionQueue } from '@quern/queue';
import { type TestModel, TestModels, TestRedis, TestStack } from '@quern/testkit';

export interface BenchStack {
  readonly redis: TestRedis;
  readonly stack: TestStack;
  readonly queue: PredictionQueue;
}

export interface BenchOptions {
  readonly made?: readonly TestModel[];
  /** Names of example models. */
  readonly examples?: readonly string[];
  /** For every process. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs an action over a fresh Redis (append-only file, as shipped), API and one worker. */
export async function withBenchStack<T>(
  { made = [], examples = [], env = {} }: BenchOptions,
  action: (parts: BenchStack) => Promise<T>,
): Promise<T> {
  const models = await TestModels.make(made);
  for (const example of examples) await models.addExample(example);
  const redis = await TestRedis.start({ appendfsync: 'everysec' });
  const stack = await TestStack.start({
    redisUrl: redis.url,
    models: models.directory,
    workers: 1,
    env: { QUERN_LOG_LEVEL: 'info', ...env },
  });
  const queue = await PredictionQueue.open({ redisUrl: redis.url, name: 'bench' });
  try {
    return await action({ redis, stack, queue });
  } finally {
    await queue.close();
    await stack.stop();
    await redis.stop();
    await models.remove();
  }
}
