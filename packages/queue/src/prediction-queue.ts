import { hostname } from 'node:os';
import { isTerminal, type Prediction, QuernError } from '@quern/contract';
import type { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { ulid } from 'ulid';
import { Admission } from './admission.ts';
import { BullQueues } from './bull-queues.ts';
import { canceledError, endWaitingJob, publishCancel } from './cancellation.ts';
import { JobReader } from './job-reader.ts';
import { bullPriority, type JobData, jobDataFor, predictionFromJob } from './job-record.ts';
import { inputKey } from './keys.ts';
import { INPUT_TTL_MS, PayloadStore } from './payload-store.ts';
import {
  indexPrediction,
  type ListQuery,
  listPredictions,
  type PredictionPage,
} from './prediction-list.ts';
import { PredictionWait, type WaitOptions } from './prediction-wait.ts';
import { type QueueDepth, readQueueDepth } from './queue-depth.ts';
import { connectRedis, redisFault } from './redis-connection.ts';
import { RegistryReader } from './registry-reader.ts';
import { ReplyHub } from './reply-hub.ts';
import { generateId, modelOfId, reserveId } from './reservation.ts';
import type { Submission } from './submission.ts';

export interface PredictionQueueOptions {
  readonly redisUrl: string;
  /** Shown in `CLIENT LIST`: api, cli, dashboard. */
  readonly name: string;
  /** How long to wait for Redis at the start. Default 60 s. */
  readonly redisWaitMs?: number;
  readonly onWaiting?: (reason: string) => void;
  /** Told of connection errors, which heal by themselves. */
  readonly onError?: (error: Error) => void;
}

export interface Submitted {
  readonly prediction: Prediction;
  /** False if the id was known already and this is the prediction that it stands for. */
  readonly created: boolean;
}

/** First pause between the retries of a prediction; it doubles each time. */
const RETRY_BACKOFF_MS = 200;
/** A cancellation of a running prediction is announced again after this. */
const CANCEL_REPEAT_MS = 500;
const CANCEL_TIMEOUT_MS = 5000;

/**
 * Predictions in Redis, from a producer's side. Every failure of Redis is a `REDIS_UNAVAILABLE`; what
 * a method has returned is in Redis.
 */
export class PredictionQueue {
  readonly registry: RegistryReader;
  readonly #redis: Redis;
  readonly #subscriber: Redis;
  readonly #processId: string;
  readonly #queues: BullQueues;
  readonly #payloads: PayloadStore;
  readonly #reader: JobReader;
  readonly #admission: Admission;
  readonly #hub: ReplyHub;
  #closing: Promise<void> | undefined;

  private constructor(redis: Redis, subscriber: Redis, onError: (error: Error) => void) {
    this.#redis = redis;
    this.#subscriber = subscriber;
    this.#processId = `${hostname()}-${process.pid}-${ulid().toLowerCase()}`;
    this.#queues = new BullQueues(redis, onError);
    this.#payloads = new PayloadStore(redis);
    this.#reader = new JobReader(redis, this.#payloads);
    this.#admission = new Admission(redis);
    this.#hub = new ReplyHub({ redis, subscriber, processId: this.#processId, onError });
    this.registry = new RegistryReader({ redis, subscriber, onError });
  }

  /** @throws QuernError `REDIS_UNAVAILABLE` if Redis does not answer within `redisWaitMs` */
  static async open(options: PredictionQueueOptions): Promise<PredictionQueue> {
    const { redisUrl: url, name, redisWaitMs: waitMs = 60_000, onError = () => {} } = options;
    const shared = {
      url,
      waitMs,
      onError,
      ...(options.onWaiting !== undefined && { onWaiting: options.onWaiting }),
    };
    const redis = await connectRedis({ ...shared, role: 'producer', name });
    const subscriber = await connectRedis({ ...shared, role: 'subscriber', name: `${name}-sub` });
    const queue = new PredictionQueue(redis, subscriber, onError);
    await queue.#hub.start();
    await queue.registry.start();
    return queue;
  }

  /** The connection, for checks and for the dashboard's queues. */
  get redis(): Redis {
    return this.#redis;
  }

  /** Resolves if Redis answers now. */
  ping(): Promise<void> {
    return this.#guarded(async () => {
      await this.#redis.ping();
    });
  }

  /**
   * Accepts a prediction: once this resolves it is in Redis. With `wait` it resolves when the prediction
   * has ended or the wait is over.
   * @throws QuernError `QUEUE_FULL`, `CONFLICT`, `INVALID_REQUEST` (a bad id), `REDIS_UNAVAILABLE`
   */
  submit(submission: Submission, wait?: WaitOptions): Promise<Submitted> {
    return this.#guarded(async () => {
      const { model } = submission.target;
      if (submission.id !== undefined) {
        const ttlSeconds = model.queue.retention.failed.ageSeconds;
        const { created } = await reserveId(this.#redis, submission.id, submission, ttlSeconds);
        // The reservation may stand without a job if its maker died just then: go on and add it.
        const existing = created ? undefined : await this.#read(model.name, submission.id);
        if (existing !== undefined) return this.#existing(existing, wait);
      }
      await this.#admission.admit(model);
      return this.#add(submission, wait);
    });
  }

  async #existing(prediction: Prediction, wait: WaitOptions | undefined): Promise<Submitted> {
    if (wait === undefined || isTerminal(prediction.status)) return { prediction, created: false };
    return { prediction: (await this.wait(prediction.id, wait)) ?? prediction, created: false };
  }

  async #add(submission: Submission, wait: WaitOptions | undefined): Promise<Submitted> {
    const { model } = submission.target;
    const id = submission.id ?? generateId(model.name);
    const createdAtMs = Date.now();
    const { data, payload } = jobDataFor(submission, createdAtMs, this.#processId);
    if (data.input === undefined) {
      // Before the job, so that no worker finds a job without its input.
      const key = inputKey(model.name, id);
      await this.#payloads.write([{ key, bytes: payload }], INPUT_TTL_MS);
    }
    const waiting = wait === undefined ? undefined : this.#startWait(id);
    try {
      await Promise.all([
        indexPrediction(this.#redis, model.name, id, createdAtMs),
        this.#addJob(submission, id, data, createdAtMs),
      ]);
      const accepted = { id, data, createdAtMs, attempts: 0, isLocked: false };
      const prediction = wait === undefined ? undefined : await waiting?.untilEnded(wait, accepted);
      return { prediction: prediction ?? predictionFromJob(accepted, null), created: true };
    } finally {
      waiting?.close();
    }
  }

  async #addJob(
    { target, priority }: Submission,
    id: string,
    data: JobData,
    createdAtMs: number,
  ): Promise<void> {
    const { name, queue } = target.model;
    await this.#queues.of(name).add(`${name}:${data.version}`, data, {
      jobId: id,
      timestamp: createdAtMs,
      priority: bullPriority(priority),
      attempts: queue.attempts,
      backoff: { type: 'exponential', delay: RETRY_BACKOFF_MS, jitter: 0.5 },
      removeOnComplete: {
        age: queue.retention.succeeded.ageSeconds,
        count: queue.retention.succeeded.count,
      },
      removeOnFail: { age: queue.retention.failed.ageSeconds, count: queue.retention.failed.count },
      stackTraceLimit: 1,
    });
  }

  /** The prediction as it is now; undefined if there is none (any more). */
  get(id: string): Promise<Prediction | undefined> {
    return this.#guarded(async () => {
      const model = await modelOfId(this.#redis, id);
      return model === undefined ? undefined : this.#read(model, id);
    });
  }

  async #read(model: string, id: string): Promise<Prediction | undefined> {
    const view = await this.#reader.view(this.#queueOf(model), id);
    return view === undefined ? undefined : this.#reader.prediction(view);
  }

  #queueOf(model: string): Queue {
    return this.#queues.of(model);
  }

  /**
   * Waits until a prediction has ended, at most `timeoutMs`; then it is returned as it stands.
   * @returns undefined if there is no such prediction
   */
  wait(id: string, options: WaitOptions): Promise<Prediction | undefined> {
    return this.#guarded(async () => {
      const model = await modelOfId(this.#redis, id);
      if (model === undefined) return undefined;
      const waiting = this.#startWait(id);
      try {
        const view = await this.#reader.view(this.#queueOf(model), id);
        if (view === undefined || view.finishedAtMs !== undefined) {
          return view === undefined ? undefined : await this.#reader.prediction(view);
        }
        if (view.data.replyTo !== undefined) this.#hub.requestForward(id, view.data.replyTo);
        return (await waiting.untilEnded(options, view)) ?? (await this.#read(model, id));
      } finally {
        waiting.close();
      }
    });
  }

  #startWait(id: string): PredictionWait {
    return new PredictionWait({
      id,
      hub: this.#hub,
      complete: (view) => this.#reader.prediction(view),
      poll: (model) => this.#read(model, id),
    });
  }

  /**
   * Cancels a prediction: one that waits ends here; of one that runs the result is discarded. Ended
   * ones stay as they are.
   * @returns the prediction as it stands then; undefined if there is no such prediction
   */
  cancel(id: string): Promise<Prediction | undefined> {
    return this.#guarded(async () => {
      const model = await modelOfId(this.#redis, id);
      if (model === undefined) return undefined;
      const deadlineMs = Date.now() + CANCEL_TIMEOUT_MS;
      for (;;) {
        const ended = await endWaitingJob(this.#redis, model, id, canceledError());
        if (!ended) await publishCancel(this.#redis, model, id);
        // A worker may return it to the queue just now, or not have heard: hence again and again.
        const timeoutMs = ended ? 0 : CANCEL_REPEAT_MS;
        const prediction = await this.wait(id, { timeoutMs });
        const isOver = prediction === undefined || isTerminal(prediction.status);
        if (isOver || Date.now() > deadlineMs) return prediction;
      }
    });
  }

  /**
   * Predictions, newest first.
   * @throws QuernError `INVALID_REQUEST` for a bad cursor, `MODEL_NOT_FOUND` for an unknown model
   */
  list(query: ListQuery): Promise<PredictionPage> {
    return this.#guarded(async () => {
      if (query.model !== undefined && this.registry.model(query.model) === undefined) {
        throw new QuernError(
          'MODEL_NOT_FOUND',
          `Unknown model ${JSON.stringify(query.model.slice(0, 64))}.`,
        );
      }
      const models =
        query.model === undefined ? this.registry.models().map(({ name }) => name) : [query.model];
      return listPredictions(this.#redis, models, query, (model, id) => this.#read(model, id));
    });
  }

  /** How a model's queue stands now. */
  depth(model: string): Promise<QueueDepth> {
    return this.#guarded(() => readQueueDepth(this.#redis, model));
  }

  async #guarded<T>(action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      throw redisFault(error);
    }
  }

  /** Stops listening and disconnects; predictions go on without this process. */
  close(): Promise<void> {
    this.#closing ??= this.#closeAll();
    return this.#closing;
  }

  async #closeAll(): Promise<void> {
    this.registry.close();
    this.#hub.close();
    await this.#queues.close();
    this.#subscriber.disconnect();
    this.#redis.disconnect();
  }
}
