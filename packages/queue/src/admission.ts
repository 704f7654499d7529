import { QuernError } from '@quern/contract';
import type { Redis } from 'ioredis';
import { bullKey } from './keys.ts';
import type { KnownModel } from './known-model.ts';

/** A count younger than this is good enough while the queue is far from full. */
const FRESH_MS = 100;
/** From this share of the limit on, every submission counts anew. */
const NEAR_FULL = 0.9;
const MAX_RETRY_AFTER_SECONDS = 60;

interface DepthEstimate {
  countedAtMs: number;
  counted: number;
  /** Accepted by this process since it counted. */
  sinceThen: number;
}

/**
 * The door of the queues: refuses a submission when its model's queue is full. Far from the limit a
 * count that is 100 ms old plus what this process accepted since is used; near it each submission
 * counts, so the limit is overshot by at most the submissions that are in flight at that moment.
 */
export class Admission {
  readonly #redis: Redis;
  readonly #estimates = new Map<string, DepthEstimate>();

  constructor(redis: Redis) {
    this.#redis = redis;
  }

  /** @throws QuernError `QUEUE_FULL` with `retryAfterSeconds` from the measured drain rate */
  async admit(model: KnownModel): Promise<void> {
    const { maxSize } = model.queue;
    let estimate = this.#estimates.get(model.name);
    if (estimate === undefined || !isGoodEnough(estimate, maxSize)) {
      estimate = { countedAtMs: Date.now(), counted: await this.#count(model.name), sinceThen: 0 };
      this.#estimates.set(model.name, estimate);
    }
    if (estimate.counted + estimate.sinceThen >= maxSize) throw queueFull(model, estimate.counted);
    estimate.sinceThen += 1;
  }

  async #count(model: string): Promise<number> {
    const [prioritized, waiting, delayed] = await Promise.all([
      this.#redis.zcard(bullKey(model, 'prioritized')),
      this.#redis.llen(bullKey(model, 'wait')),
      this.#redis.zcard(bullKey(model, 'delayed')),
    ]);
    return prioritized + waiting + delayed;
  }
}

function isGoodEnough(estimate: DepthEstimate, maxSize: number): boolean {
  const depth = estimate.counted + estimate.sinceThen;
  return depth < maxSize * NEAR_FULL && Date.now() - estimate.countedAtMs < FRESH_MS;
}

function queueFull(model: KnownModel, depth: number): QuernError {
  const { maxSize } = model.queue;
  const retryAfterSeconds = retryAfter(maxSize, model.stats.predictionsPerSecond);
  return new QuernError(
    'QUEUE_FULL',
    `The queue of model ${model.name} holds ${depth} predictions, its limit is ${maxSize}. Try again in ${retryAfterSeconds} s.`,
    { details: { retryAfterSeconds } },
  );
}

/** The time in which a tenth of a full queue drains at the measured rate. */
function retryAfter(maxSize: number, predictionsPerSecond: number): number {
  if (predictionsPerSecond <= 0) return MAX_RETRY_AFTER_SECONDS;
  const seconds = Math.ceil(maxSize / 10 / predictionsPerSecond);
  return Math.min(MAX_RETRY_AFTER_SECONDS, Math.max(1, seconds));
}
