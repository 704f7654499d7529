import type { Redis } from 'ioredis';
import { z } from 'zod';
import { DEADLINES_CHANNEL, deadlinesKey } from './keys.ts';
import { parseJson } from './parse-json.ts';

/** A model's earliest deadline, as processes that sweep are told of it. */
const deadlineMessageSchema = z.object({ model: z.string(), deadlineAtMs: z.number() });

/**
 * Told is only what comes before all others of the model: whoever ends that finds the next one. While
 * predictions come in the order of their deadlines, as most do, that is rarely the case.
 *
 * KEYS: deadlines. ARGV: deadline, id, channel, message.
 */
const ADD = `
redis.call('ZADD', KEYS[1], ARGV[1], ARGV[2])
if redis.call('ZRANGE', KEYS[1], 0, 0)[1] == ARGV[2] then redis.call('PUBLISH', ARGV[3], ARGV[4]) end
`;

/** Puts a prediction on its model's list of deadlines, and tells every process that sweeps if it is the first. */
export async function addDeadline(
  redis: Redis,
  model: string,
  id: string,
  deadlineAtMs: number,
): Promise<void> {
  const message = JSON.stringify({ model, deadlineAtMs });
  await redis.eval(ADD, 1, deadlinesKey(model), deadlineAtMs, id, DEADLINES_CHANNEL, message);
}

/** Hears of deadlines that other processes have accepted: one of them may not live to end its own. */
export class DeadlineListener {
  readonly #subscriber: Redis;
  readonly #onDeadline: (model: string, deadlineAtMs: number) => void;

  /** @param subscriber a connection of role `subscriber` */
  constructor(subscriber: Redis, onDeadline: (model: string, deadlineAtMs: number) => void) {
    this.#subscriber = subscriber;
    this.#onDeadline = onDeadline;
  }

  /** A message that is lost is made up for by what the sweeper reads. */
  async start(): Promise<void> {
    this.#subscriber.on('message', this.#onMessage);
    await this.#subscriber.subscribe(DEADLINES_CHANNEL);
  }

  readonly #onMessage = (channel: string, message: string): void => {
    if (channel !== DEADLINES_CHANNEL) return;
    const { data } = deadlineMessageSchema.safeParse(parseJson(message));
    if (data !== undefined) this.#onDeadline(data.model, data.deadlineAtMs);
  };

  close(): void {
    this.#subscriber.off('message', this.#onMessage);
  }
}
