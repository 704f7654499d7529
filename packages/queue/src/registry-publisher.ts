import type { WorkerRecord } from '@quern/contract';
import type { Redis } from 'ioredis';
import { KNOWN_MODELS_KEY, REGISTRY_CHANNEL, WORKERS_KEY, workerKey } from './keys.ts';

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
 * known models for good, so that predictions are accepted while no worker runs.
 */
export class RegistryPublisher {
  readonly #options: RegistryPublisherOptions;
  readonly #timer: NodeJS.Timeout;
  readonly #workerId: string;
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
    if (this.#closing === undefined) await this.#write(true);
  }

  async #write(isChange: boolean): Promise<void> {
    const { redis, record } = this.#options;
    const current = record();
    const commands = redis
      .multi()
      .set(workerKey(current.workerId), JSON.stringify(current), 'PX', WORKER_RECORD_TTL_MS)
      .sadd(WORKERS_KEY, current.workerId);
    for (const { stats: _stats, ...model } of current.models) {
      // A version without a signature never loaded: it must not hide what another worker knows.
      const isKnown = model.versions.some((version) => version.signature !== undefined);
      if (isKnown) commands.hset(KNOWN_MODELS_KEY, model.name, JSON.stringify(model));
      else commands.hsetnx(KNOWN_MODELS_KEY, model.name, JSON.stringify(model));
    }
    if (isChange) commands.publish(REGISTRY_CHANNEL, current.workerId);
    await commands.exec();
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
    await this.#options.redis
      .multi()
      .del(workerKey(this.#workerId))
      .srem(WORKERS_KEY, this.#workerId)
      .publish(REGISTRY_CHANNEL, this.#workerId)
      .exec();
  }
}
