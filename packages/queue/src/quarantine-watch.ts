import { QuernError } from '@quern/contract';
import type { Redis } from 'ioredis';
import { QUARANTINE_CHANNEL } from './keys.ts';
import { inputFingerprint, type QuarantinedInput, QuarantineStore } from './quarantine-store.ts';

/** How late a change is noticed whose message was lost. */
const REFRESH_INTERVAL_MS = 2000;

export interface QuarantineWatchOptions {
  readonly redis: Redis;
  /** A connection of role `subscriber`. */
  readonly subscriber: Redis;
  readonly onError: (error: Error) => void;
}

/**
 * The inputs in quarantine, from memory: read when somebody announces a change, within milliseconds, and
 * every two seconds for a message that was lost. While a model has none, checking an input of it is one
 * look into an empty map, and nothing is hashed.
 */
export class QuarantineWatch {
  readonly store: QuarantineStore;
  readonly #options: QuarantineWatchOptions;
  #inputs: ReadonlyMap<string, ReadonlyMap<string, QuarantinedInput>> = new Map();
  #timer: NodeJS.Timeout | undefined;
  #reading: Promise<void> = Promise.resolve();

  constructor(options: QuarantineWatchOptions) {
    this.#options = options;
    this.store = new QuarantineStore(options.redis);
  }

  async start(): Promise<void> {
    const { subscriber } = this.#options;
    subscriber.on('message', this.#onMessage);
    await subscriber.subscribe(QUARANTINE_CHANNEL);
    await this.refresh();
    this.#timer = setInterval(() => this.#refreshQuietly(), REFRESH_INTERVAL_MS);
  }

  readonly #onMessage = (channel: string): void => {
    if (channel === QUARANTINE_CHANNEL) this.#refreshQuietly();
  };

  #refreshQuietly(): void {
    this.refresh().catch(this.#options.onError);
  }

  /** Reads what is in quarantine from this moment on; readings come one after the other. */
  refresh(): Promise<void> {
    const reading = this.#reading.then(() => this.#read());
    this.#reading = reading.catch(() => {});
    return reading;
  }

  async #read(): Promise<void> {
    const models = await this.store.models();
    const lists = await Promise.all(models.map((model) => this.store.list(model)));
    this.#inputs = new Map(
      models.map((model, i) => [
        model,
        new Map(lists[i]?.map((input) => [input.fingerprint, input])),
      ]),
    );
  }

  /** Whether some input of the model is in quarantine, so that inputs must be looked at. */
  isActive(model: string): boolean {
    return this.#inputs.has(model);
  }

  /**
   * The refusal of an input that is in quarantine.
   * @param message the input as `encodeTensors` writes it
   */
  refusal(model: string, version: number, message: Uint8Array): QuernError | undefined {
    const inputs = this.#inputs.get(model);
    if (inputs === undefined) return undefined;
    const input = inputs.get(inputFingerprint(model, version, message));
    return input === undefined || input.untilMs <= Date.now()
      ? undefined
      : quarantinedError(model, input);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#options.subscriber.off('message', this.#onMessage);
  }
}

/** Says why, since when, until when, and what ends it earlier. */
export function quarantinedError(model: string, input: QuarantinedInput): QuernError {
  const { fingerprint, version, reason } = input;
  const since = new Date(input.sinceMs).toISOString();
  const until = new Date(input.untilMs).toISOString();
  return new QuernError(
    'INPUT_QUARANTINED',
    `Since ${since} this input of ${model}:${version} is refused, as it has twice ended the model's process ` +
      `(${reason}); it is accepted again at ${until}, or after: quern quarantine lift ${model} ${fingerprint}`,
    { details: { fingerprint, since, until } },
  );
}
