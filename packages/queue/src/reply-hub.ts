import type { Redis } from 'ioredis';
import { replyChannel } from './keys.ts';
import { parseJson } from './parse-json.ts';
import { type Reply, type ReplyMessage, replyMessageSchema } from './reply-messages.ts';

/** A forward request is forgotten after this; the asker polls slowly anyway. */
const FORWARD_TTL_MS = 120_000;

export interface ReplyHubOptions {
  readonly redis: Redis;
  readonly subscriber: Redis;
  readonly processId: string;
  readonly onError: (error: Error) => void;
}

/**
 * The ear of one producer process. Workers publish the end of a job to the process that accepted it;
 * a waiter in another process asks that one to pass the news on. Messages can be lost (Redis publishes
 * at most once), so every waiter polls slowly as well.
 */
export class ReplyHub {
  readonly #options: ReplyHubOptions;
  readonly #waiters = new Map<string, Set<(reply: Reply) => void>>();
  readonly #forwards = new Map<string, { to: Set<string>; expiresAtMs: number }>();

  constructor(options: ReplyHubOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { subscriber, processId } = this.#options;
    subscriber.on('message', this.#onMessage);
    await subscriber.subscribe(replyChannel(processId));
  }

  readonly #onMessage = (channel: string, text: string): void => {
    if (channel !== replyChannel(this.#options.processId)) return;
    const message = replyMessageSchema.safeParse(parseJson(text));
    // A message of another release or of somebody else: the waiter's poll finds what it says.
    if (message.success) this.#receive(message.data);
  };

  #receive(message: ReplyMessage): void {
    if (message.type === 'forward') {
      this.#noteForward(message.id, message.to);
      return;
    }
    for (const reply of message.replies) {
      for (const deliver of this.#waiters.get(reply.id) ?? []) deliver(reply);
    }
    this.#passOn(message.replies);
  }

  #noteForward(id: string, to: string): void {
    const nowMs = Date.now();
    for (const [other, { expiresAtMs }] of this.#forwards) {
      if (expiresAtMs > nowMs) break;
      this.#forwards.delete(other);
    }
    const known = this.#forwards.get(id);
    // Deleted and set again, so that the map stays in the order of expiry.
    this.#forwards.delete(id);
    const receivers = known?.to ?? new Set<string>();
    this.#forwards.set(id, { to: receivers.add(to), expiresAtMs: nowMs + FORWARD_TTL_MS });
  }

  #passOn(replies: readonly Reply[]): void {
    if (this.#forwards.size === 0) return;
    const byProcess = new Map<string, Reply[]>();
    for (const reply of replies) {
      for (const to of this.#forwards.get(reply.id)?.to ?? []) {
        byProcess.set(to, [...(byProcess.get(to) ?? []), reply]);
      }
      this.#forwards.delete(reply.id);
    }
    for (const [to, forwarded] of byProcess) {
      this.#publish(to, { type: 'ended', replies: forwarded });
    }
  }

  /** Asks the process that accepted a prediction to pass its end on to this one. */
  requestForward(id: string, acceptedBy: string): void {
    const { processId } = this.#options;
    if (acceptedBy !== processId) this.#publish(acceptedBy, { type: 'forward', id, to: processId });
  }

  /** Tells the process that accepted a prediction that this one has ended it. */
  announce(reply: Reply, acceptedBy: string): void {
    this.#publish(acceptedBy, { type: 'ended', replies: [reply] });
  }

  #publish(to: string, message: ReplyMessage): void {
    this.#options.redis
      .publish(replyChannel(to), JSON.stringify(message))
      .catch(this.#options.onError);
  }

  /** Calls back once when the job ends, if the message arrives; returns the way to stop listening. */
  listen(id: string, deliver: (reply: Reply) => void): () => void {
    const waiters = this.#waiters.get(id) ?? new Set();
    this.#waiters.set(id, waiters.add(deliver));
    return () => {
      waiters.delete(deliver);
      if (waiters.size === 0) this.#waiters.delete(id);
    };
  }

  close(): void {
    this.#waiters.clear();
    this.#forwards.clear();
    this.#options.subscriber.off('message', this.#onMessage);
  }
}
