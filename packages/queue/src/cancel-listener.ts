import type { Redis } from 'ioredis';
import { cancelChannel } from './keys.ts';

/** Hears of cancellations for the models that this worker serves. */
export class CancelListener {
  readonly #subscriber: Redis;
  readonly #handlers = new Map<string, (id: string) => void>();

  /** @param subscriber a connection of role `subscriber` */
  constructor(subscriber: Redis) {
    this.#subscriber = subscriber;
    subscriber.on('message', this.#onMessage);
  }

  readonly #onMessage = (channel: string, id: string): void => {
    this.#handlers.get(channel)?.(id);
  };

  async listen(model: string, onCancel: (id: string) => void): Promise<void> {
    const channel = cancelChannel(model);
    this.#handlers.set(channel, onCancel);
    await this.#subscriber.subscribe(channel);
  }

  close(): void {
    this.#handlers.clear();
    this.#subscriber.off('message', this.#onMessage);
  }
}
