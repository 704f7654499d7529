import { TestModels, TestRedis, TestStack } from '@quern/testkit';

/** Labels of the fixtures that give back what they take: one for each datatype. */
const DATATYPES = [
  'bool',
  'uint8',
  'uint16',
  'uint32',
  'uint64',
  'int8',
  'int16',
  'int32',
  'int64',
  'fp16',
  'fp32',
  'fp64',
  'bytes',
];

/** Give back their input under any number of rows. */
const PASS_THROUGH = DATATYPES.map((label) => ({
  name: `identity-${label}`,
  onnx: `identity-${label}`,
}));

const BOTH_VERSIONS = 'versions: {latest: 2}\n';

/** A Quern with a model for each thing that a client can ask of one. */
export class ConformanceStack {
  readonly url: string;
  readonly #stack: TestStack;
  readonly #redis: TestRedis;
  readonly #models: TestModels;

  private constructor(stack: TestStack, redis: TestRedis, models: TestModels) {
    this.url = stack.apiUrl;
    this.#stack = stack;
    this.#redis = redis;
    this.#models = models;
  }

  /** @param env further settings of its processes */
  static async start(env: Readonly<Record<string, string>> = {}): Promise<ConformanceStack> {
    const models = await TestModels.make([
      ...PASS_THROUGH,
      { name: 'add', onnx: 'add', yaml: BOTH_VERSIONS },
      { name: 'gather', onnx: 'gather' },
      { name: 'corrupt', onnx: 'corrupt' },
    ]);
    await models.add({ name: 'add', onnx: 'add' }, 2);
    await models.addExample('digits');
    await models.addExample('credit-risk');
    const redis = await TestRedis.start({ appendfsync: 'everysec' });
    try {
      const options = { redisUrl: redis.url, models: models.directory, workers: 1, env };
      return new ConformanceStack(await TestStack.start(options), redis, models);
    } catch (error) {
      await redis.stop();
      await models.remove();
      throw error;
    }
  }

  async stop(): Promise<void> {
    await this.#stack.stop();
    await this.#redis.stop();
    await this.#models.remove();
  }
}
