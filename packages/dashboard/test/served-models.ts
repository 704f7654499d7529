import {
  encodeTensors,
  type ModelSignature,
  parseModelInputs,
  QuernError,
  type WorkerRecord,
} from '@quern/contract';
import {
  Consumer,
  connectRedis,
  type JobResult,
  openBullQueue,
  PredictionQueue,
  type QueuedPrediction,
  RegistryPublisher,
  type Submission,
} from '@quern/queue';
import { TestRedis } from '@quern/testkit';
import type { Queue } from 'bullmq';

const SIGNATURE: ModelSignature = {
  inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, -1] }],
  outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 1] }],
  batchable: true,
  maxRows: 8,
};

type Redis = Awaited<ReturnType<typeof connectRedis>>;

/** What the fake worker says of every prediction that it ends well. */
export const RESULT: JobResult = {
  batchId: 'batch-17',
  batchRows: 12,
  batchEntries: 5,
  reason: 'full',
  startedAtMs: Date.UTC(2026, 0, 2, 3, 4, 5),
  queueTimeMs: 7.251,
  collateTimeMs: 0.4,
  inferenceTimeMs: 31.5,
  splitTimeMs: 0.2,
  storeTimeMs: 1.1,
  executionProvider: 'webgpu',
  bytes: 108,
  output: Buffer.from(
    encodeTensors([{ name: 'y', datatype: 'FP32', shape: [1, 1], data: new Uint8Array(4) }]),
  ).toString('base64'),
};

export const FAILURE = 'The model refused row 3: the image is upside down.';

function workerRecord(models: readonly string[]): WorkerRecord {
  return {
    workerId: 'worker-1',
    hostname: 'testhost',
    pid: 1,
    startedAtMs: Date.now(),
    models: models.map((name) => ({
      name,
      description: `The ${name} of the test`,
      batching: { mode: 'fixed', maxBatchSize: 16, maxQueueDelayMs: 1 },
      queue: {
        maxSize: 1000,
        timeoutMs: null,
        attempts: 1,
        retention: {
          succeeded: { ageSeconds: 3600, count: 1000 },
          failed: { ageSeconds: 3600, count: 1000 },
        },
      },
      versions: [{ version: 1, state: 'ready', signature: SIGNATURE, instances: 1 }],
    })),
  };
}

/** A Redis, a registry with models in it, and a worker for each that ends predictions as it is told. */
export class ServedModels {
  readonly redis: TestRedis;
  readonly queue: PredictionQueue;
  readonly connection: Redis;
  readonly #models: string[] = [];
  readonly #publisher: RegistryPublisher;
  readonly #consumers = new Map<string, Consumer>();

  private constructor(redis: TestRedis, queue: PredictionQueue, connection: Redis) {
    this.redis = redis;
    this.queue = queue;
    this.connection = connection;
    this.#publisher = new RegistryPublisher({
      redis: connection,
      record: () => workerRecord(this.#models),
      onError: () => {},
    });
  }

  static async start(): Promise<ServedModels> {
    const redis = await TestRedis.start();
    const queue = await PredictionQueue.open({ redisUrl: redis.url, name: 'dashboard' });
    const connection = await connectRedis({
      url: redis.url,
      role: 'worker',
      name: 'worker',
      waitMs: 10_000,
      onError: () => {},
    });
    return new ServedModels(redis, queue, connection);
  }

  /** Makes a model known; nobody takes its predictions yet. */
  async publish(model: string): Promise<void> {
    this.#models.push(model);
    await this.#publisher.publish();
    await this.queue.registry.refresh();
  }

  /** Takes a model off the registry for good, as if it had been forgotten. */
  async forget(model: string): Promise<void> {
    this.#models.splice(this.#models.indexOf(model), 1);
    await this.connection.hdel('quern:{registry}:models', model);
    await this.#publisher.publish();
    await this.queue.registry.refresh();
  }

  /** The BullMQ queue itself, to put things there that no producer would. Close it. */
  bullQueue(model: string): Queue {
    return openBullQueue(this.queue.redis, model);
  }

  /** Starts the model's worker if there is none: it fails what carries `{"fail": true}` in its metadata. */
  serve(model: string): void {
    if (this.#consumers.has(model)) return;
    const consumer = new Consumer({
      redis: this.connection,
      model,
      workerName: 'worker-1',
      concurrency: 4,
      lockDurationMs: 30_000,
      stalledIntervalMs: 30_000,
      handler: endAsTold,
      onError: () => {},
    });
    this.#consumers.set(model, consumer);
    consumer.start();
  }

  /** Submits `rows` rows of `width` numbers; returns the id. */
  async submit(
    model: string,
    options: Partial<Submission> & { width?: number } = {},
  ): Promise<string> {
    const { width = 3, ...rest } = options;
    const target = await this.queue.registry.resolve(model);
    const row = new Array<number>(width).fill(0.5);
    const inputs = parseModelInputs({ x: [row, row] }, target.signature);
    const { prediction } = await this.queue.submit({ target, inputs, priority: 'normal', ...rest });
    return prediction.id;
  }

  async ended(id: string): Promise<void> {
    await this.queue.wait(id, { timeoutMs: 10_000 });
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#consumers.values()].map((consumer) => consumer.close()));
    await this.#publisher.close();
    await this.queue.close();
    this.connection.disconnect();
    await this.redis.stop();
  }
}

async function endAsTold({ data }: QueuedPrediction): Promise<JobResult> {
  if (data.metadata?.['fail'] === true) throw new QuernError('INFERENCE_FAILED', FAILURE);
  return RESULT;
}
