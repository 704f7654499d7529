import type { Redis } from 'ioredis';
import { z } from 'zod';
import { MODEL_WISHES_KEY, WISH_REVISION_KEY, WISHES_CHANNEL } from './keys.ts';
import { parseRecord } from './parse-json.ts';

const modelWishSchema = z.object({
  wish: z.enum(['loaded', 'unloaded']),
  /** Grows with every wish, whichever model it is for. */
  revision: z.number().int().positive(),
});
/** What administrators want of a model; it stands until they want something else. */
export type ModelWish = z.infer<typeof modelWishSchema>;
export type WishedState = ModelWish['wish'];
export type WishesByModel = ReadonlyMap<string, ModelWish>;

/**
 * Numbers, stores and announces a wish in one step, so that of two at a time the later one stands.
 *
 * KEYS: hash, counter. ARGV: model, wish, channel.
 */
const WISH = `
local revision = redis.call('INCR', KEYS[2])
redis.call('HSET', KEYS[1], ARGV[1], cjson.encode({ wish = ARGV[2], revision = revision }))
redis.call('PUBLISH', ARGV[3], ARGV[1])
return revision
`;

/** Takes a wish back, unless there is a newer one. KEYS: hash. ARGV: model, revision. */
const WITHDRAW = `
local text = redis.call('HGET', KEYS[1], ARGV[1])
if text and cjson.decode(text).revision == tonumber(ARGV[2]) then
  redis.call('HDEL', KEYS[1], ARGV[1])
end
`;

/**
 * Makes a wish.
 * @returns its revision
 */
export async function makeWish(redis: Redis, model: string, wish: WishedState): Promise<number> {
  const revision = await redis.eval(
    WISH,
    2,
    MODEL_WISHES_KEY,
    WISH_REVISION_KEY,
    model,
    wish,
    WISHES_CHANNEL,
  );
  return Number(revision);
}

/** Forgets a wish, e.g. for a model that turned out not to exist. */
export async function withdrawWish(redis: Redis, model: string, revision: number): Promise<void> {
  await redis.eval(WITHDRAW, 1, MODEL_WISHES_KEY, model, revision);
}

export async function readWishes(redis: Redis): Promise<WishesByModel> {
  const hash = await redis.hgetall(MODEL_WISHES_KEY);
  const wishes = Object.entries(hash).flatMap(([model, text]) =>
    parseRecord(modelWishSchema, text).map((wish): [string, ModelWish] => [model, wish]),
  );
  return new Map(wishes);
}

/** How late a wish is noticed whose message was lost. */
const LOOK_INTERVAL_MS = 2000;

export interface WishListenerOptions {
  readonly redis: Redis;
  /** A connection of role `subscriber`. */
  readonly subscriber: Redis;
  /** Told of all wishes, at the start and whenever they may have changed. */
  readonly onWishes: (wishes: WishesByModel) => void;
  readonly onError: (error: Error) => void;
}

/** Hears what administrators wish, on a worker. */
export class WishListener {
  readonly #options: WishListenerOptions;
  #timer: NodeJS.Timeout | undefined;
  #reading: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(options: WishListenerOptions) {
    this.#options = options;
  }

  /** Resolves when the wishes that stand have been told. */
  async start(): Promise<void> {
    const { subscriber } = this.#options;
    subscriber.on('message', this.#onMessage);
    await subscriber.subscribe(WISHES_CHANNEL);
    await this.#look();
    this.#timer = setInterval(() => this.#lookQuietly(), LOOK_INTERVAL_MS);
  }

  readonly #onMessage = (channel: string): void => {
    if (channel === WISHES_CHANNEL) this.#lookQuietly();
  };

  #lookQuietly(): void {
    this.#look().catch(this.#options.onError);
  }

  /** Readings come one after the other, so that none tells of older wishes than the last. */
  #look(): Promise<void> {
    const reading = this.#reading.then(async () => {
      if (this.#isClosed) return;
      const wishes = await readWishes(this.#options.redis);
      if (!this.#isClosed) this.#options.onWishes(wishes);
    });
    this.#reading = reading.catch(() => {});
    return reading;
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
    this.#options.subscriber.off('message', this.#onMessage);
  }
}
