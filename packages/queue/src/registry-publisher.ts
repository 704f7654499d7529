import type { WorkerRecord } from '@quern/contract';
import type { Redis } from 'ioredis';
import { REGISTRY_CHANNEL, WORKERS_KEY, workerKey } from './keys.ts';
import { recordModels } from './known-records.ts';

const HEARTBEAT_INTERVAL_MS = 3000;
/** A worker that misses this many heartbeats is gone. */
export const WORKER_RECORD_TTL_MS = 4 * HEARTBEAT_INTERVAL_MS;

export interface RegistryPublisherOptions {
  readonly redis: Redis;
  /** The record as it is now; asked for at every heartbeat. */
  readonly record: () => WorkerRecord;
  readonly onError: (error: Error) => void;
}

/**
 * Publishes what one worker serves: under its heartbeat for as long as it lives, and in the hash of
 * known models, so that predictions are accepted while no worker runs. A model that it cannot load is only
 * known while it says so.
 */
export class RegistryPublisher {
  readonly #options: RegistryPublisherOptions;
  readonly #timer: NodeJS.Timeout;
  readonly #workerId: string;
  /** Writes come one after the other: none may bring the record back once it is removed. */
  #lastWrite: Promise<void> = Promise.resolve();
  #closing: Promise<void> | undefined;

  constructor(options: RegistryPublisherOptions) {
    this.#options = options;
    this.#workerId = options.record().workerId;
    this.#timer = setInterval(() => {
      void this.#write(false).catch(options.onError);
    }, HEARTBEAT_INTERVAL_MS);
  }

  /** Publishes at once; call it whenever a version's state changes. */
  async publish(): Promise<void> {
    await this.#write(true);
  }

  #write(isChange: boolean): Promise<void> {
    const write = this.#lastWrite.then(() => this.#writeNow(isChange));
    this.#lastWrite = write.catch(() => {});
    return write;
  }

  async #writeNow(isChange: boolean): Promise<void> {
    if (this.#closing !== undefined) return;
    const { redis, record } = this.#options;
    const current = record();
    await redis
      .multi()
      .set(workerKey(current.workerId), JSON.stringify(current), 'PX', WORKER_RECORD_TTL_MS)
      .sadd(WORKERS_KEY, current.workerId)
      .exec();
    await recordModels(redis, current, Date.now());
    if (isChange) await redis.publish(REGISTRY_CHANNEL, current.workerId);
  }

  /**
   * Takes the worker off the registry; its models stay known. During an outage of Redis its record is
   * left to run out.
   */
  close(): Promise<void> {
    this.#closing ??= this.#remove();
    return this.#closing;
  }

  async #remove(): Promise<void> {
    clearInterval(this.#timer);
    if (this.#options.redis.status !== 'ready') return;
    await this.#lastWrite;
    await this.#options.redis
      .multi()
      .del(workerKey(this.#workerId))
      .srem(WORKERS_KEY, this.#workerId)
      .publish(REGISTRY_CHANNEL, this.#workerId)
      .exec();
  }
}
