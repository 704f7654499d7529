import type { Redis } from 'ioredis';
import type { BullQueues } from '../bull-queues.ts';
import type { JobView } from '../job-record.ts';
import { WEBHOOK_OUTBOX_KEY } from '../keys.ts';
import { DELIVERY_QUEUE, deliveryJob } from './delivery-record.ts';
import { type SentEvent, wants } from './webhook-order.ts';

/** Who ends a prediction enqueues its delivery at once; what is left after this, somebody missed. */
const FIRST_CHECK_MS = 10_000;

/**
 * Predictions whose end somebody wants to be told of: a sorted set of `model/id`, by the time at which
 * to look whether the delivery was missed. A prediction is put there before its job is added, and taken
 * off when its delivery is in the queue; so whoever is killed in between, `OutboxSweep` finds it.
 */
export class WebhookOutbox {
  readonly #redis: Redis;
  readonly #queues: BullQueues;

  constructor(redis: Redis, queues: BullQueues) {
    this.#redis = redis;
    this.#queues = queues;
  }

  /** Notes a prediction that is about to be added. */
  expect({ id, data, createdAtMs }: Pick<JobView, 'id' | 'data' | 'createdAtMs'>) {
    const member = outboxMember(data.model, id);
    return this.#redis.zadd(WEBHOOK_OUTBOX_KEY, createdAtMs + FIRST_CHECK_MS, member);
  }

  /** Enqueues the deliveries of those that asked for them: views of predictions that have ended. */
  async ended(views: readonly JobView[]): Promise<void> {
    const asked = views.filter(({ data }) => wants(data.webhook, 'completed'));
    if (asked.length === 0) return;
    await this.#enqueue(asked, 'completed');
    // Only now: what fails before is found by the sweep.
    await this.forget(asked.map(({ id, data }) => outboxMember(data.model, id)));
  }

  /** Enqueues the news that a worker has these predictions. */
  async started(views: readonly JobView[]): Promise<void> {
    await this.#enqueue(views, 'start');
  }

  /** Takes members off the list. */
  async forget(members: readonly string[]): Promise<void> {
    if (members.length > 0) await this.#redis.zrem(WEBHOOK_OUTBOX_KEY, ...members);
  }

  async #enqueue(views: readonly JobView[], event: SentEvent): Promise<void> {
    const jobs = views.flatMap((view) => deliveryJob(view, event) ?? []);
    if (jobs.length === 0) return;
    const queue = await this.#queues.of(DELIVERY_QUEUE);
    await queue.addBulk(jobs);
  }
}

/** Neither a model's name nor an id has a slash. */
function outboxMember(model: string, id: string): string {
  return `${model}/${id}`;
}

/** The model and id of a member. */
export function readOutboxMember(member: string): { model: string; id: string } {
  const slash = member.indexOf('/');
  return { model: member.slice(0, slash), id: member.slice(slash + 1) };
}
