import { QuernError } from '@quern/contract';
import type { Redis } from 'ioredis';
import { bullKey } from './keys.ts';
import type { KnownModel } from './known-model.ts';

/** A count younger than this is good enough while the queue is far from full. */
const FRESH_MS = 100;
/** From this share of the limit on, every submission counts anew. */
const NEAR_FULL = 0.9;
const MAX_RETRY_AFTER_SECONDS = 60;

/** What one process knows of the length of one queue. */
interface Door {
  countedAtMs: number;
  /** Length when it was last counted, and what was about to be added then. */
  counted: number;
  /** Admitted since. */
  sinceThen: number;
  /** Admitted, and not yet known to be in Redis. */
  adding: number;
  /** The count that is under way: all that need one share it. */
  counting: Promise<void> | undefined;
}

/**
 * The door of the queues: refuses a submission when its model's queue is full. Far from the limit a
 * count that is 100 ms old plus what this process admitted since is used; near it each submission
 * counts. What is on its way into the queue counts as in it, so one process never overshoots the
 * limit, however many submit at once; several overshoot it by at most what the others had on their way.
 */
export class Admission {
  readonly #redis: Redis;
  readonly #doors = new Map<string, Door>();

  constructor(redis: Redis) {
    this.#redis = redis;
  }

  /**
   * Runs `add` if there is room for one more.
   * @throws QuernError `QUEUE_FULL` with `retryAfterSeconds` from the measured drain rate
   */
  async admit<T>(model: KnownModel, add: () => Promise<T>): Promise<T> {
    const { maxSize } = model.queue;
    const door = this.#doorOf(model.name);
    if (!isGoodEnough(door, maxSize)) await this.#recount(model.name, door);
    const depth = door.counted + door.sinceThen;
    if (depth >= maxSize) throw queueFull(model, depth);
    door.sinceThen += 1;
    door.adding += 1;
    try {
      return await add();
    } finally {
      door.adding -= 1;
    }
  }

  #doorOf(model: string): Door {
    const known = this.#doors.get(model);
    if (known !== undefined) return known;
    const door = { countedAtMs: 0, counted: 0, sinceThen: 0, adding: 0, counting: undefined };
    this.#doors.set(model, door);
    return door;
  }

  #recount(model: string, door: Door): Promise<void> {
    door.counting ??= this.#count(model, door).finally(() => {
      door.counting = undefined;
    });
    return door.counting;
  }

  async #count(model: string, door: Door): Promise<void> {
    const { adding } = door;
    const [prioritized, waiting, delayed] = await Promise.all([
      this.#redis.zcard(bullKey(model, 'prioritized')),
      this.#redis.llen(bullKey(model, 'wait')),
      this.#redis.zcard(bullKey(model, 'delayed')),
    ]);
    door.counted = prioritized + waiting + delayed + adding;
    door.sinceThen = 0;
    door.countedAtMs = Date.now();
  }
}

function isGoodEnough(door: Door, maxSize: number): boolean {
  const depth = door.counted + door.sinceThen;
  return depth < maxSize * NEAR_FULL && Date.now() - door.countedAtMs < FRESH_MS;
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
