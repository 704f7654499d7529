import {
  freePort,
  SERVICES,
  startService,
  TestModels,
  type TestProcess,
  TestRedis,
  TestStack,
  untilAnswers,
} from '@quern/testkit';

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

/** Receivers of webhooks are on this machine. */
const ENV = { QUERN_EGRESS_ALLOW: '127.0.0.1/32' };

interface Parts {
  readonly models: TestModels;
  readonly redis: TestRedis;
  readonly stack: TestStack;
  readonly webhooks: TestProcess;
}

/** A Quern with a model for each thing that a client can ask of one. */
export class ConformanceStack {
  readonly url: string;
  readonly #parts: Parts;

  private constructor(parts: Parts) {
    this.url = parts.stack.apiUrl;
    this.#parts = parts;
  }

  static async start(): Promise<ConformanceStack> {
    const models = await writeModels();
    const redis = await TestRedis.start({ appendfsync: 'everysec' });
    try {
      const options = { redisUrl: redis.url, models: models.directory, workers: 1, env: ENV };
      const stack = await TestStack.start(options);
      const webhooks = await startWebhooks(redis.url).catch(async (error: unknown) => {
        await stack.stop('SIGKILL');
        throw error;
      });
      return new ConformanceStack({ models, redis, stack, webhooks });
    } catch (error) {
      await redis.stop();
      await models.remove();
      throw error;
    }
  }

  async stop(): Promise<void> {
    const { models, redis, stack, webhooks } = this.#parts;
    await Promise.all([stack.stop(), webhooks.stop()]);
    await redis.stop();
    await models.remove();
  }
}

async function writeModels(): Promise<TestModels> {
  const models = await TestModels.make([
    ...PASS_THROUGH,
    { name: 'add', onnx: 'add', yaml: BOTH_VERSIONS },
    { name: 'gather', onnx: 'gather' },
    { name: 'corrupt', onnx: 'corrupt' },
    // To be unloaded: the others are always there.
    { name: 'spare', onnx: 'identity-int16' },
  ]);
  await models.add({ name: 'add', onnx: 'add' }, 2);
  await models.addExample('digits');
  return models;
}

async function startWebhooks(redisUrl: string): Promise<TestProcess> {
  const port = await freePort();
  const { portVariable, livePath } = SERVICES.webhooks;
  const settings = { QUERN_REDIS_URL: redisUrl, [portVariable]: String(port), ...ENV };
  const webhooks = startService('webhooks', settings);
  try {
    await untilAnswers(webhooks, `http://127.0.0.1:${port}${livePath}`);
    return webhooks;
  } catch (error) {
    await webhooks.stop('SIGKILL');
    throw error;
  }
}
