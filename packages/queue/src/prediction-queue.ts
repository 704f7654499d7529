import { hostname } from 'node:os';
import type { BlobPlaces } from '@quern/blobs';
import { encodeTensors, isTerminal, type Prediction, QuernError } from '@quern/contract';
import type { Redis } from 'ioredis';
import { ulid } from 'ulid';
import { Admission } from './admission.ts';
import { BullQueues } from './bull-queues.ts';
import { canceledError, publishCancel } from './cancellation.ts';
import { endWaitingJob } from './end-waiting-job.ts';
import { ExpirySweeper } from './expiry-sweeper.ts';
import { JobReader } from './job-reader.ts';
import { type JobView, predictionFromJob } from './job-record.ts';
import { KNOWN_MODELS_KEY } from './keys.ts';
import { ModelOperations } from './model-operations.ts';
import { PayloadStore } from './payload-store.ts';
import { PredictionIntake } from './prediction-intake.ts';
import { type ListQuery, listPredictions, type PredictionPage } from './prediction-list.ts';
import { PredictionWait, type WaitOptions } from './prediction-wait.ts';
import { QuarantineWatch } from './quarantine-watch.ts';
import { type QueueDepth, readQueueDepth } from './queue-depth.ts';
import { connectRedis, redisFault } from './redis-connection.ts';
import { RegistryReader } from './registry-reader.ts';
import { ReplyHub } from './reply-hub.ts';
import { replyOf } from './reply-messages.ts';
import { assertClientId, generateId, isIdentified, isReserved, modelOfId } from './reservation.ts';
import type { Submission } from './submission.ts';
import { WebhookOperations } from './webhooks/webhook-operations.ts';
import { WebhookOutbox } from './webhooks/webhook-outbox.ts';

export interface PredictionQueueOptions {
  readonly redisUrl: string;
  /** Shown in `CLIENT LIST`: api, cli, dashboard. */
  readonly name: string;
  /** How long to wait for Redis at the start. Default 60 s. */
  readonly redisWaitMs?: number;
  /** Where large payloads lie besides Redis; they stay the caller's, to be closed after the queue. */
  readonly blobs?: BlobPlaces;
  readonly onWaiting?: (reason: string) => void;
  /** Told of connection errors, which heal by themselves. */
  readonly onError?: (error: Error) => void;
}

interface QueueParts {
  readonly redis: Redis;
  readonly subscriber: Redis;
  readonly blobs: BlobPlaces | undefined;
  readonly onError: (error: Error) => void;
}

export interface Submitted {
  readonly prediction: Prediction;
  /** False if the id was known already and this is the prediction that it stands for. */
  readonly created: boolean;
}

/** A cancellation of a running prediction is announced again after this. */
const CANCEL_REPEAT_MS = 500;
const CANCEL_TIMEOUT_MS = 5000;

/**
 * Predictions in Redis, from a producer's side. Every failure of Redis is a `REDIS_UNAVAILABLE`; what
 * a method has returned is in Redis.
 */
export class PredictionQueue {
  readonly registry: RegistryReader;
  readonly operations: ModelOperations;
  readonly webhooks: WebhookOperations;
  readonly #quarantine: QuarantineWatch;
  readonly #redis: Redis;
  readonly #subscriber: Redis;
  readonly #queues: BullQueues;
  readonly #reader: JobReader;
  readonly #admission: Admission;
  readonly #intake: PredictionIntake;
  readonly #outbox: WebhookOutbox;
  readonly #hub: ReplyHub;
  readonly #sweeper: ExpirySweeper;
  readonly #expiryListeners = new Set<(model: string, predictions: number) => void>();
  readonly #waits = new Set<PredictionWait>();
  #closing: Promise<void> | undefined;

  private constructor({ redis, subscriber, blobs, onError }: QueueParts) {
    this.#redis = redis;
    this.#subscriber = subscriber;
    const processId = `${hostname()}-${process.pid}-${ulid().toLowerCase()}`;
    this.#queues = new BullQueues(redis, onError);
    const payloads = new PayloadStore(redis, blobs);
    this.#reader = new JobReader(redis, payloads);
    this.#outbox = new WebhookOutbox(redis, this.#queues);
    this.#intake = new PredictionIntake({
      redis,
      payloads,
      queues: this.#queues,
      outbox: this.#outbox,
      processId,
    });
    this.#admission = new Admission(redis);
    this.#hub = new ReplyHub({ redis, subscriber, processId, onError });
    this.registry = new RegistryReader({ redis, subscriber, onError });
    this.#sweeper = new ExpirySweeper({
      redis,
      subscriber,
      models: () => this.registry.models().map(({ name }) => name),
      onError,
      onExpired: (model, predictions) => {
        for (const listener of this.#expiryListeners) listener(model, predictions);
      },
    });
    this.#quarantine = new QuarantineWatch({ redis, subscriber, onError });
    const guarded = <T>(action: () => Promise<T>): Promise<T> => this.#guarded(action);
    this.operations = new ModelOperations({
      redis,
      registry: this.registry,
      quarantine: this.#quarantine,
      guarded,
    });
    this.webhooks = new WebhookOperations({ redis, queues: this.#queues, guarded });
  }

  /** @throws QuernError `REDIS_UNAVAILABLE` if Redis does not answer within `redisWaitMs` */
  static async open(options: PredictionQueueOptions): Promise<PredictionQueue> {
    const { redisUrl: url, name, blobs, redisWaitMs: waitMs = 60_000 } = options;
    const { onError = () => {} } = options;
    const shared = {
      url,
      waitMs,
      onError,
      ...(options.onWaiting !== undefined && { onWaiting: options.onWaiting }),
    };
    const redis = await connectRedis({ ...shared, role: 'producer', name });
    let subscriber: Redis | undefined;
    try {
      subscriber = await connectRedis({ ...shared, role: 'subscriber', name: `${name}-sub` });
      const queue = new PredictionQueue({ redis, subscriber, blobs, onError });
      await queue.#hub.start();
      await queue.registry.start();
      await queue.#quarantine.start();
      queue.#sweeper.start();
      return queue;
    } catch (error) {
      subscriber?.disconnect();
      redis.disconnect();
      throw redisFault(error);
    }
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
   * has ended or the wait is over. If it rejects with `REDIS_UNAVAILABLE` the prediction may have been
   * accepted all the same; under an id of the client's the repetition finds it.
   * @throws QuernError `QUEUE_FULL`, `INPUT_QUARANTINED`, `CONFLICT`, `INVALID_REQUEST` (a bad id), `REDIS_UNAVAILABLE`
   */
  submit(submission: Submission, wait?: WaitOptions): Promise<Submitted> {
    return this.#guarded(async () => {
      const { model } = submission.target;
      if (!isIdentified(submission)) {
        return this.#create(submission, generateId(model.name), wait);
      }
      assertClientId(submission.id);
      // Before the door: what is known already is answered also while the queue is full.
      if (await isReserved(this.#redis, submission)) {
        const known = await this.#read(model.name, submission.id);
        if (known !== undefined) return this.#existing(known, wait);
      }
      return this.#create(submission, submission.id, wait);
    });
  }

  async #existing(prediction: Prediction, wait: WaitOptions | undefined): Promise<Submitted> {
    if (wait === undefined || isTerminal(prediction.status)) return { prediction, created: false };
    return { prediction: (await this.wait(prediction.id, wait)) ?? prediction, created: false };
  }

  async #create(
    submission: Submission,
    id: string,
    wait: WaitOptions | undefined,
  ): Promise<Submitted> {
    const { model, version } = submission.target;
    if (this.#quarantine.isActive(model.name)) {
      const message = encodeTensors(submission.inputs.tensors);
      const refusal = this.#quarantine.refusal(model.name, version, message);
      if (refusal !== undefined) throw refusal;
    }
    const waiting = wait === undefined ? undefined : this.#startWait(id);
    try {
      const { view: accepted, isOurs } = await this.#admission.admit(model, () =>
        this.#intake.accept(submission, id),
      );
      this.#sweeper.note(model.name, accepted.data.deadlineAtMs);
      if (!isOurs) {
        // The same submission came in elsewhere at the same time.
        const known = await this.#read(model.name, id);
        return this.#existing(known ?? predictionFromJob(accepted, null), wait);
      }
      const ended = wait === undefined ? undefined : await waiting?.untilEnded(wait, accepted);
      return { prediction: ended ?? predictionFromJob(accepted, null), created: true };
    } finally {
      if (waiting !== undefined) this.#endWait(waiting);
    }
  }

  /** The prediction as it is now; undefined if there is none (any more). */
  get(id: string): Promise<Prediction | undefined> {
    return this.#guarded(async () => {
      const model = await this.#modelOf(id);
      return model === undefined ? undefined : this.#read(model, id);
    });
  }

  async #modelOf(id: string): Promise<string | undefined> {
    const model = await modelOfId(this.#redis, id);
    if (model === undefined || this.registry.model(model) !== undefined) return model;
    // Others may know it already; but a made-up name must leave nothing behind, here or in Redis.
    const isKnown = await this.#redis.hexists(KNOWN_MODELS_KEY, model);
    return isKnown === 1 ? model : undefined;
  }

  async #view(model: string, id: string): Promise<JobView | undefined> {
    return this.#reader.view(await this.#queues.of(model), id);
  }

  async #read(model: string, id: string): Promise<Prediction | undefined> {
    const view = await this.#view(model, id);
    return view === undefined ? undefined : this.#reader.prediction(view);
  }

  /**
   * Waits until a prediction has ended, at most `timeoutMs`; then it is returned as it stands.
   * @returns undefined if there is no such prediction
   */
  wait(id: string, options: WaitOptions): Promise<Prediction | undefined> {
    return this.#guarded(async () => {
      const model = await this.#modelOf(id);
      if (model === undefined) return undefined;
      const waiting = this.#startWait(id);
      try {
        const view = await this.#view(model, id);
        if (view === undefined || view.finishedAtMs !== undefined) {
          return view === undefined ? undefined : await this.#reader.prediction(view);
        }
        if (view.data.replyTo !== undefined) this.#hub.requestForward(id, view.data.replyTo);
        return (await waiting.untilEnded(options, view)) ?? (await this.#read(model, id));
      } finally {
        this.#endWait(waiting);
      }
    });
  }

  #startWait(id: string): PredictionWait {
    const waiting = new PredictionWait({
      id,
      hub: this.#hub,
      complete: (view) => this.#reader.prediction(view),
      poll: (model) => this.#read(model, id),
    });
    this.#waits.add(waiting);
    return waiting;
  }

  #endWait(waiting: PredictionWait): void {
    waiting.close();
    this.#waits.delete(waiting);
  }

  /**
   * Cancels a prediction: one that waits ends here; of one that runs the result is discarded. Ended
   * ones stay as they are.
   * @returns the prediction as it stands then; undefined if there is no such prediction
   */
  cancel(id: string): Promise<Prediction | undefined> {
    return this.#guarded(async () => {
      const model = await this.#modelOf(id);
      if (model === undefined) return undefined;
      const deadlineMs = performance.now() + CANCEL_TIMEOUT_MS;
      for (;;) {
        const hasEnded = await endWaitingJob(this.#redis, model, id, canceledError());
        if (hasEnded) return this.#announceEnd(model, id);
        await publishCancel(this.#redis, model, id);
        // A worker may return it to the queue just now, or not have heard: hence again and again.
        const prediction = await this.wait(id, { timeoutMs: CANCEL_REPEAT_MS });
        const isOver = prediction === undefined || isTerminal(prediction.status);
        if (isOver || performance.now() > deadlineMs) return prediction;
      }
    });
  }

  /**
   * Takes a prediction back that nobody wants any more, if no worker has taken it; else it goes on.
   * @returns whether it was taken back
   */
  withdraw(id: string): Promise<boolean> {
    return this.#guarded(async () => {
      const model = await this.#modelOf(id);
      if (model === undefined) return false;
      const hasEnded = await endWaitingJob(this.#redis, model, id, canceledError());
      if (hasEnded) await this.#announceEnd(model, id);
      return hasEnded;
    });
  }

  /** What no worker ended, no worker tells of: whoever waits for it hears it from here. */
  async #announceEnd(model: string, id: string): Promise<Prediction | undefined> {
    const view = await this.#view(model, id);
    if (view === undefined) return undefined;
    await this.#outbox.ended([view]);
    const reply = replyOf(view);
    if (reply !== undefined && view.data.replyTo !== undefined) {
      this.#hub.announce(reply, view.data.replyTo);
    }
    return this.#reader.prediction(view);
  }

  /**
   * Predictions, newest first. Outputs that do not lie inside their jobs are left out: `get` reads them.
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
      return listPredictions(this.#redis, models, query, async (model, id) => {
        const view = await this.#view(model, id);
        return view === undefined ? undefined : predictionFromJob(view, 'not read');
      });
    });
  }

  /** How a model's queue stands now. */
  depth(model: string): Promise<QueueDepth> {
    return this.#guarded(() => readQueueDepth(this.#redis, model));
  }

  /** Calls back whenever this process has ended predictions at their deadlines. */
  onExpired(listener: (model: string, predictions: number) => void): void {
    this.#expiryListeners.add(listener);
  }

  async #guarded<T>(action: () => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) throw closedFault();
    try {
      return await action();
    } catch (error) {
      throw this.#closing !== undefined && !(error instanceof QuernError)
        ? closedFault(error)
        : redisFault(error);
    }
  }

  /** Ends all waits, stops listening and disconnects; predictions go on without this process. */
  close(): Promise<void> {
    this.#closing ??= this.#closeAll();
    return this.#closing;
  }

  async #closeAll(): Promise<void> {
    for (const waiting of this.#waits) waiting.close();
    const sweeperClosed = this.#sweeper.close();
    this.registry.close();
    this.#quarantine.close();
    this.#hub.close();
    await this.#queues.close();
    this.#subscriber.disconnect();
    this.#redis.disconnect();
    await sweeperClosed;
  }
}

function closedFault(cause?: unknown): QuernError {
  return new QuernError('SHUTTING_DOWN', 'This process is stopping; send it again.', { cause });
}
