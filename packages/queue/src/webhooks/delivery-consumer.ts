import { DelayedError, type Job, MetricsTime, UnrecoverableError, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { bullPrefix } from '../keys.ts';
import { isConnectionError } from '../redis-connection.ts';
import { DELIVERY_QUEUE, type DeliveryData, deliveryDataSchema } from './delivery-record.ts';

/** A delivery that is due. */
export interface DueDelivery {
  readonly id: string;
  readonly data: DeliveryData;
  /** Which attempt this is, from 1. */
  readonly attempt: number;
  /** Adds a line to the delivery's log, which people read. */
  readonly log: (line: string) => Promise<unknown>;
}

/** How an attempt ended. */
export type DeliveryVerdict =
  | { readonly type: 'delivered'; readonly status: number; readonly timeMs: number }
  /** It was not tried, and costs no attempt. */
  | { readonly type: 'postponed'; readonly untilMs: number }
  | { readonly type: 'retry'; readonly delayMs: number; readonly reason: string }
  /** A dead letter, until it is replayed. */
  | { readonly type: 'given-up'; readonly reason: string };

export interface DeliveryConsumerOptions {
  /** A connection of role `worker`; the consumer adds one of its own for blocking. */
  readonly redis: Redis;
  /** Shown on the board. */
  readonly workerName: string;
  /** Attempts under way at a time. */
  readonly concurrency: number;
  readonly lockDurationMs: number;
  readonly stalledIntervalMs: number;
  /** Never rejects for a receiver's faults; what it throws is tried again. */
  readonly handler: (delivery: DueDelivery) => Promise<DeliveryVerdict>;
  readonly onError: (error: Error) => void;
}

const MAX_STALLED_COUNT = 20;
const DRAIN_DELAY_SECONDS = 2;
const RETRY_PAUSE_MS = 500;
/** After a fault of our own. */
const FAULT_DELAY_MS = 30_000;

/** Tells the backoff strategy, which is all that BullMQ asks, when to try again. */
class RetryAfter extends Error {
  readonly delayMs: number;

  constructor(reason: string, delayMs: number) {
    super(reason);
    this.name = 'RetryAfter';
    this.delayMs = delayMs;
  }
}

/** Fetches deliveries that are due and does with them what the handler says. */
export class DeliveryConsumer {
  readonly #options: DeliveryConsumerOptions;
  readonly #worker: Worker;
  #running: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: DeliveryConsumerOptions) {
    const { redis, onError } = options;
    this.#options = options;
    this.#worker = new Worker(DELIVERY_QUEUE, (job, token) => this.#process(job, token), {
      autorun: false,
      connection: redis,
      prefix: bullPrefix(DELIVERY_QUEUE),
      name: options.workerName,
      concurrency: options.concurrency,
      lockDuration: options.lockDurationMs,
      stalledInterval: options.stalledIntervalMs,
      maxStalledCount: MAX_STALLED_COUNT,
      drainDelay: DRAIN_DELAY_SECONDS,
      runRetryDelay: RETRY_PAUSE_MS,
      metrics: { maxDataPoints: MetricsTime.TWO_WEEKS },
      settings: {
        backoffStrategy: (_attempts, _type, error) =>
          error instanceof RetryAfter ? error.delayMs : FAULT_DELAY_MS,
      },
    });
    this.#worker.on('error', (error) => {
      // The connection itself tells of its outages, once.
      if (!isConnectionError(error)) onError(error);
    });
  }

  start(): void {
    this.#running ??= this.#worker.run().catch(this.#options.onError);
  }

  async #process(job: Job, token: string | undefined): Promise<unknown> {
    const parsed = deliveryDataSchema.safeParse(job.data);
    if (!parsed.success) throw new UnrecoverableError('This is no delivery of a webhook.');
    const verdict = await this.#options.handler({
      id: job.id ?? '',
      data: parsed.data,
      attempt: job.attemptsMade + 1,
      log: (line) => job.log(line),
    });
    switch (verdict.type) {
      case 'delivered':
        return { status: verdict.status, timeMs: verdict.timeMs };
      case 'postponed':
        await job.moveToDelayed(verdict.untilMs, token);
        throw new DelayedError();
      case 'retry':
        throw new RetryAfter(verdict.reason, Math.round(verdict.delayMs));
      case 'given-up':
        throw new UnrecoverableError(verdict.reason);
    }
  }

  /**
   * Stops fetching and resolves when every attempt under way has ended; at once during an outage of
   * Redis, and other processes take over when the locks have run out.
   */
  close(): Promise<void> {
    this.#closing ??= this.#closeAll();
    return this.#closing;
  }

  async #closeAll(): Promise<void> {
    const isAway = this.#options.redis.status !== 'ready';
    await this.#worker.close(isAway);
    if (!isAway) await this.#running;
  }
}
