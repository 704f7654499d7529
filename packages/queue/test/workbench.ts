import { hostname } from 'node:os';
import type { QueueSettings, ServedModel, Tensor } from '@quern/contract';
import type { Redis } from 'ioredis';
import {
  Consumer,
  type ConsumerOptions,
  connectRedis,
  type JobResult,
  type ModelTarget,
  PredictionQueue,
  type QueuedPrediction,
  RegistryPublisher,
  type Submission,
} from '../src/index.ts';

const signature: NonNullable<ServedModel['versions'][number]['signature']> = {
  inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 4] }],
  outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 4] }],
  batchable: true,
  maxRows: 1_000_000,
};

/** A model as a worker would publish it. */
export function servedModel(name: string, queue: Partial<QueueSettings> = {}): ServedModel {
  return {
    name,
    batching: { mode: 'off', maxBatchSize: 1, maxQueueDelayMs: 0 },
    queue: {
      maxSize: 1000,
      timeoutMs: null,
      attempts: 3,
      retention: {
        succeeded: { ageSeconds: 3600, count: 1000 },
        failed: { ageSeconds: 3600, count: 1000 },
      },
      ...queue,
    },
    versions: [{ version: 1, state: 'ready', signature, instances: 1 }],
  };
}

/** Consecutive numbers as the input `x`, four a row. */
export function inputOf(rows: number, first = 0): Tensor {
  const values = Float32Array.from({ length: rows * 4 }, (_, i) => first + i);
  return { name: 'x', datatype: 'FP32', shape: [rows, 4], data: new Uint8Array(values.buffer) };
}

/** A worker's summary of a run. */
export function resultWith(output: Partial<JobResult> = {}): JobResult {
  return {
    batchId: 'b1',
    batchRows: 1,
    batchEntries: 1,
    reason: 'idle',
    startedAtMs: Date.now(),
    queueTimeMs: 1,
    collateTimeMs: 0,
    inferenceTimeMs: 2,
    splitTimeMs: 0,
    storeTimeMs: 0,
    executionProvider: 'cpu',
    bytes: 0,
    ...output,
  };
}

/** Gives the input back as the output: what the client sent must come out again. */
export async function echo(redis: Redis, prediction: QueuedPrediction): Promise<JobResult> {
  const { input } = prediction;
  const bytes = 'key' in input ? await redis.getBuffer(input.key) : Buffer.from(input.inline);
  if (bytes === null) throw new Error('the input is gone');
  return resultWith({ bytes: bytes.byteLength, output: bytes.toString('base64') });
}

type Handler = ConsumerOptions['handler'];

/** Producers and consumers over one Redis; everything it opens it closes. */
export class Workbench {
  readonly #url: string;
  readonly #closers: (() => Promise<void> | void)[] = [];
  /** A worker's connection. */
  readonly redis: Redis;
  readonly errors: Error[] = [];

  private constructor(url: string, redis: Redis) {
    this.#url = url;
    this.redis = redis;
  }

  static async open(url: string): Promise<Workbench> {
    const redis = await connectRedis({
      url,
      role: 'worker',
      name: 'test-worker',
      waitMs: 10_000,
      onError: () => {},
    });
    const bench = new Workbench(url, redis);
    bench.defer(() => redis.disconnect());
    return bench;
  }

  defer(close: () => Promise<void> | void): void {
    this.#closers.push(close);
  }

  /** Opens a producer, as one process of the API would. */
  async producer(): Promise<PredictionQueue> {
    const queue = await PredictionQueue.open({
      redisUrl: this.#url,
      name: 'test-producer',
      redisWaitMs: 10_000,
    });
    this.defer(() => queue.close());
    return queue;
  }

  /** Announces a model, as its worker would; returns it as a target. */
  async serve(
    producer: PredictionQueue,
    name: string,
    settings: Partial<QueueSettings> = {},
  ): Promise<ModelTarget> {
    const model = servedModel(name, settings);
    const publisher = new RegistryPublisher({
      redis: this.redis,
      record: () => ({
        workerId: `worker-of-${name}`,
        hostname: hostname(),
        pid: process.pid,
        startedAtMs: Date.now(),
        models: [model],
      }),
      onError: (error) => this.errors.push(error),
    });
    this.defer(() => publisher.close());
    await publisher.publish();
    await producer.registry.refresh();
    return producer.registry.resolve(name);
  }

  /** Starts a consumer. */
  consume(
    model: string,
    handler: Handler = (prediction) => echo(this.redis, prediction),
    options: Partial<ConsumerOptions> = {},
  ): Consumer {
    const consumer = new Consumer({
      redis: this.redis,
      model,
      workerName: 'test-worker',
      concurrency: 8,
      lockDurationMs: 5000,
      stalledIntervalMs: 1000,
      handler,
      onError: (error) => this.errors.push(error),
      ...options,
    });
    this.defer(() => consumer.close());
    consumer.start();
    return consumer;
  }

  async close(): Promise<void> {
    for (const close of this.#closers.reverse()) await close();
  }
}

/** A submission of one row, unless the options say otherwise. */
export function submissionTo(
  target: ModelTarget,
  options: Partial<Submission> & { readonly tensor?: Tensor } = {},
): Submission {
  const { tensor = inputOf(1), ...rest } = options;
  return {
    target,
    inputs: {
      tensors: [tensor],
      rows: tensor.shape[0] ?? 1,
      lane: `v1|${tensor.shape.slice(1).join(',')}`,
      form: 'nested',
    },
    priority: 'normal',
    ...rest,
  };
}
