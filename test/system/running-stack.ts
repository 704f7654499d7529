import {
  type TestModel,
  TestModels,
  TestRedis,
  type TestRedisOptions,
  TestStack,
} from '@quern/testkit';

export interface RunningStackOptions {
  readonly models: readonly TestModel[];
  /** Names of example models to serve as well. */
  readonly examples?: readonly string[];
  /** Default 1. */
  readonly workers?: number;
  readonly dashboard?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  readonly redis?: TestRedisOptions;
}

/** A Redis, a model repository and the services over them. */
export interface RunningStack {
  readonly redis: TestRedis;
  readonly models: TestModels;
  readonly stack: TestStack;
  readonly stop: () => Promise<void>;
}

/** Starts the services over a Redis and models of their own; whatever came up is ended if one does not. */
export async function startStack(options: RunningStackOptions): Promise<RunningStack> {
  const redis = await TestRedis.start(options.redis);
  const models = await TestModels.make(options.models);
  const removeFiles = async (): Promise<void> => {
    await models.remove();
    await redis.stop();
  };
  try {
    for (const name of options.examples ?? []) await models.addExample(name);
    const stack = await TestStack.start({
      redisUrl: redis.url,
      models: models.directory,
      workers: options.workers ?? 1,
      dashboard: options.dashboard ?? false,
      ...(options.env !== undefined && { env: options.env }),
    });
    const stop = async (): Promise<void> => {
      await stack.stop();
      await removeFiles();
    };
    return { redis, models, stack, stop };
  } catch (error) {
    await removeFiles();
    throw error;
  }
}
