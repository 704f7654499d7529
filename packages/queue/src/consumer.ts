import { type QuernError, toQuernError } from '@quern/contract';
import {
  DelayedError,
  type Job,
  MetricsTime,
  UnrecoverableError,
  WaitingError,
  Worker,
} from 'bullmq';
import type { Redis } from 'ioredis';
import { canceledError } from './cancellation.ts';
import { CancellationWatch } from './cancellation-watch.ts';
import { expiredError } from './expiry-sweep.ts';
import { jobDataSchema, reasonFromError } from './job-record.ts';
import { type JobResult, packResult, type StoredResult } from './job-result.ts';
import { bullKey, bullPrefix } from './keys.ts';
import { PayloadStore } from './payload-store.ts';
import { PriorityLifter } from './priority-lifter.ts';
import { type QueuedPrediction, queuedPrediction } from './queued-prediction.ts';
import { isConnectionError } from './redis-connection.ts';
import { ReplyPublisher } from './reply-publisher.ts';

/**
 * Thrown by a handler that did not run a prediction: it goes back to the queue at once, before the
 * others of its class, or after a delay. It costs no attempt.
 */
export class ReturnToQueue extends Error {
  readonly delayMs: number;

  constructor(reason: string, delayMs = 0) {
    super(reason);
    this.name = 'ReturnToQueue';
    this.delayMs = delayMs;
  }
}

export interface ConsumerOptions {
  /** A connection of role `worker`; each consumer adds one of its own for blocking. */
  readonly redis: Redis;
  readonly model: string;
  /** Where inputs lie, which are removed when they are not needed any more. Default: Redis alone. */
  readonly payloads?: PayloadStore;
  /** Shown on the board as the worker that ran a job. */
  readonly workerName: string;
  /** Predictions held at a time. */
  readonly concurrency: number;
  /** A worker that does not renew a lock for this long has lost the job. */
  readonly lockDurationMs: number;
  /** How often jobs of lost workers are looked for. */
  readonly stalledIntervalMs: number;
  /**
   * Resolves with the summary, or throws a QuernError (retried if it is retryable) or ReturnToQueue. When
   * a prediction's signal is aborted, the prediction ends at once as canceled and what the handler says
   * of it later is discarded.
   */
  readonly handler: (prediction: QueuedPrediction) => Promise<JobResult>;
  readonly onError: (error: Error) => void;
}

/** A job that lost this many workers is failed: more likely it kills them. */
const MAX_STALLED_COUNT = 20;
/** An idle worker asks again after this, should a wake-up be lost. */
const DRAIN_DELAY_SECONDS = 2;
/** After an outage of Redis, fetching and reporting go on within this. */
const RETRY_PAUSE_MS = 500;

/**
 * Fetches the predictions of one model. Locks, retries and the recovery of lost jobs are BullMQ's own;
 * the processor only hands each job to the handler and says how it ended.
 */
export class Consumer {
  readonly #options: ConsumerOptions;
  readonly #worker: Worker;
  readonly #replies: ReplyPublisher;
  readonly #lifter: PriorityLifter;
  readonly #held = new Map<string, CancellationWatch>();
  #running: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: ConsumerOptions) {
    const { redis, model, payloads = new PayloadStore(redis), onError } = options;
    this.#options = options;
    this.#replies = new ReplyPublisher(redis, payloads, onError);
    this.#lifter = new PriorityLifter({ redis, model, onError });
    this.#worker = new Worker(model, (job, token) => this.#process(job, token), {
      autorun: false,
      connection: redis,
      prefix: bullPrefix(model),
      name: options.workerName,
      concurrency: options.concurrency,
      lockDuration: options.lockDurationMs,
      stalledInterval: options.stalledIntervalMs,
      maxStalledCount: MAX_STALLED_COUNT,
      drainDelay: DRAIN_DELAY_SECONDS,
      runRetryDelay: RETRY_PAUSE_MS,
      metrics: { maxDataPoints: MetricsTime.TWO_WEEKS },
    });
    this.#worker.on('completed', (job) => this.#replies.add(job));
    this.#worker.on('failed', (job) => {
      if (job !== undefined) this.#replies.add(job);
    });
    this.#worker.on('error', (error) => {
      // The connection itself tells of its outages, once.
      if (!isConnectionError(error)) onError(error);
    });
  }

  /** Starts fetching, or goes on with it after `pause`. */
  start(): void {
    if (this.#running === undefined) {
      this.#running = this.#worker.run().catch(this.#options.onError);
    } else if (this.#worker.isPaused()) {
      void this.#worker.resume().catch(this.#options.onError);
    }
  }

  get concurrency(): number {
    return this.#worker.concurrency;
  }

  set concurrency(concurrency: number) {
    this.#worker.concurrency = concurrency;
  }

  /** Gives up a prediction that this consumer holds, because its client canceled it. */
  cancel(id: string): void {
    this.#held.get(id)?.cancel();
  }

  async #process(job: Job, token: string | undefined): Promise<StoredResult> {
    const id = job.id ?? '';
    const cancellation = new CancellationWatch();
    this.#lifter.started();
    this.#held.set(id, cancellation);
    this.#replies.addStart(job);
    try {
      return packResult(await this.#untilEndedOrCanceled(job, cancellation));
    } catch (error) {
      if (error instanceof ReturnToQueue && !isExpired(job)) {
        throw await this.#giveBack(job, token, error);
      }
      if (error instanceof ReturnToQueue) throw jobError(expiredError());
      throw jobError(toQuernError(error));
    } finally {
      // A job that this consumer lost may have come to it again: that one is held now.
      if (this.#held.get(id) === cancellation) this.#held.delete(id);
    }
  }

  /** A canceled prediction's run may go on, for its neighbours, but nobody waits for its result. */
  #untilEndedOrCanceled(job: Job, cancellation: CancellationWatch): Promise<JobResult> {
    const { handler, model } = this.#options;
    return new Promise((resolve, reject) => {
      const prediction = queuedPrediction(job, model, cancellation);
      cancellation.onCancel(() => reject(canceledError()));
      handler(prediction).then(resolve, reject);
    });
  }

  /** Moves the job back; the error returned tells BullMQ that it has been moved already. */
  async #giveBack(job: Job, token: string | undefined, { delayMs }: ReturnToQueue): Promise<Error> {
    if (delayMs > 0) {
      await job.moveToDelayed(Date.now() + delayMs, token);
      return new DelayedError();
    }
    await job.moveToWait(token);
    // BullMQ wakes nobody for a job that is put back with a priority.
    await this.#options.redis.zadd(bullKey(this.#options.model, 'marker'), 0, '0');
    return new WaitingError();
  }

  /** Stops fetching; what is held goes on. */
  async pause(): Promise<void> {
    if (this.#running !== undefined) await this.#worker.pause(true);
  }

  /**
   * Stops fetching and resolves when every held prediction has ended or gone back. During an outage of
   * Redis it resolves at once: others take over what is held when its locks have run out.
   */
  close(): Promise<void> {
    this.#closing ??= this.#closeAll();
    return this.#closing;
  }

  async #closeAll(): Promise<void> {
    this.#lifter.close();
    const isAway = this.#options.redis.status !== 'ready';
    // Not forced, BullMQ would wait for an answer to its blocking command that cannot come.
    await this.#worker.close(isAway);
    if (!isAway) await this.#running;
    await this.#replies.close();
  }
}

/** BullMQ stores the message as the reason, and the stack, which would only show our own frames. */
function jobError(error: QuernError): Error {
  const reason = reasonFromError(error);
  const wrapped = isWorthRetrying(error) ? new Error(reason) : new UnrecoverableError(reason);
  wrapped.stack = reason;
  return wrapped;
}

/** Given back after its deadline it could only expire. */
function isExpired({ data }: Job): boolean {
  const parsed = jobDataSchema.shape.deadlineAtMs.safeParse(data?.deadlineAtMs);
  return parsed.data !== undefined && parsed.data <= Date.now();
}

/** A client may send an expired prediction again; the same one stays expired. */
function isWorthRetrying({ code, retryable }: QuernError): boolean {
  return retryable && code !== 'DEADLINE_EXCEEDED';
}
