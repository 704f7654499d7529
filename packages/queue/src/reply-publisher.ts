import type { Job } from 'bullmq';
import type { Redis } from 'ioredis';
import { BullQueues } from './bull-queues.ts';
import { viewOfJob } from './job-reader.ts';
import type { JobView } from './job-record.ts';
import { deadlinesKey, replyChannel } from './keys.ts';
import type { PayloadStore } from './payload-store.ts';
import { type Reply, type ReplyMessage, replyOf } from './reply-messages.ts';
import { removeInputs, type StoredInput } from './stored-inputs.ts';
import { wants } from './webhooks/webhook-order.ts';
import { WebhookOutbox } from './webhooks/webhook-outbox.ts';

/**
 * Tells producers of jobs that have ended. The ends of one turn of the event loop (a batch's jobs end
 * together) go out as one message to each producer.
 */
export class ReplyPublisher {
  readonly #redis: Redis;
  readonly #payloads: PayloadStore;
  readonly #onError: (error: Error) => void;
  readonly #pending = new Map<string, Reply[]>();
  #spentInputs: StoredInput[] = [];
  /** Ended predictions that had a deadline, by model. */
  readonly #metDeadlines = new Map<string, string[]>();
  readonly #queues: BullQueues;
  readonly #outbox: WebhookOutbox;
  /** Predictions that somebody is told of by webhook, with what they are told. */
  #started: JobView[] = [];
  #ended: JobView[] = [];
  #isFlushPlanned = false;
  #sent: Promise<unknown> = Promise.resolve();

  constructor(redis: Redis, payloads: PayloadStore, onError: (error: Error) => void) {
    this.#redis = redis;
    this.#payloads = payloads;
    this.#onError = onError;
    this.#queues = new BullQueues(redis, onError);
    this.#outbox = new WebhookOutbox(redis, this.#queues);
  }

  /** Notes that a job has been taken, for those who asked to be told. */
  addStart(job: Job): void {
    if (job.data?.webhook === undefined) return;
    const view = viewOfJob(job, true);
    if (view === undefined || !wants(view.data.webhook, 'start')) return;
    this.#started.push(view);
    this.#planFlush();
  }

  /** Notes the end of a job; a job that will be tried again is passed over. */
  add(job: Job): void {
    const view = viewOfJob(job, false);
    const reply = view === undefined ? undefined : replyOf(view);
    if (view === undefined || reply === undefined) return;
    const { model, input, inputKey, replyTo, deadlineAtMs, webhook } = view.data;
    if (webhook !== undefined) this.#ended.push(view);
    if (deadlineAtMs !== undefined) addTo(this.#metDeadlines, model, view.id);
    // Failed jobs keep their input, so that an operator can retry them.
    if (input === undefined && reply.result !== undefined) {
      this.#spentInputs.push({ model, id: view.id, reference: inputKey });
    }
    if (replyTo !== undefined) addTo(this.#pending, replyTo, reply);
    this.#planFlush();
  }

  #planFlush(): void {
    if (this.#isFlushPlanned) return;
    this.#isFlushPlanned = true;
    setImmediate(() => this.#send());
  }

  #send(): void {
    this.#isFlushPlanned = false;
    const sent: Promise<unknown>[] = [];
    for (const [processId, replies] of this.#pending) {
      const message: ReplyMessage = { type: 'ended', replies };
      sent.push(this.#redis.publish(replyChannel(processId), JSON.stringify(message)));
    }
    this.#pending.clear();
    if (this.#spentInputs.length > 0) {
      sent.push(removeInputs(this.#redis, this.#payloads, this.#spentInputs));
    }
    this.#spentInputs = [];
    for (const [model, ids] of this.#metDeadlines) {
      sent.push(this.#redis.zrem(deadlinesKey(model), ...ids));
    }
    this.#metDeadlines.clear();
    if (this.#started.length > 0) sent.push(this.#outbox.started(this.#started));
    this.#started = [];
    if (this.#ended.length > 0) sent.push(this.#outbox.ended(this.#ended));
    this.#ended = [];
    this.#sent = Promise.all([this.#sent, ...sent]).catch(this.#onError);
  }

  /** Sends what is pending; resolves when Redis has it, at once during an outage. */
  async close(): Promise<void> {
    this.#send();
    if (this.#redis.status !== 'ready') return;
    await this.#sent;
    await this.#queues.close();
  }
}

function addTo<T>(lists: Map<string, T[]>, key: string, item: T): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [item]);
  else list.push(item);
}
