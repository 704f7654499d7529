import type { Redis } from 'ioredis';
import { z } from 'zod';
import { profileResetChannel } from './keys.ts';
import { parseJson } from './parse-json.ts';

/** The run times of some versions are to be forgotten. */
const profileResetSchema = z.object({
  /** Tells this reset from others; a worker gives it back when it saves. */
  mark: z.string(),
  versions: z.array(z.number().int().positive()).readonly(),
});
export type ProfileReset = z.infer<typeof profileResetSchema>;

export function resetMessage(reset: ProfileReset): string {
  return JSON.stringify(reset);
}

/**
 * Hears that run times are to be forgotten, for the models that this worker serves. A message that is
 * lost is made up for when the worker saves; see `ProfileStore`.
 */
export class ProfileResetListener {
  readonly #subscriber: Redis;
  readonly #handlers = new Map<string, (reset: ProfileReset) => void>();

  /** @param subscriber a connection of role `subscriber` */
  constructor(subscriber: Redis) {
    this.#subscriber = subscriber;
    subscriber.on('message', this.#onMessage);
  }

  readonly #onMessage = (channel: string, message: string): void => {
    const handler = this.#handlers.get(channel);
    if (handler === undefined) return;
    const parsed = profileResetSchema.safeParse(parseJson(message));
    if (parsed.success) handler(parsed.data);
  };

  async listen(model: string, onReset: (reset: ProfileReset) => void): Promise<void> {
    const channel = profileResetChannel(model);
    this.#handlers.set(channel, onReset);
    await this.#subscriber.subscribe(channel);
  }

  close(): void {
    this.#handlers.clear();
    this.#subscriber.off('message', this.#onMessage);
  }
}
