import { type EgressClient, shownUrl } from '@quern/egress';
import type { DeliveryData, DeliveryVerdict, DueDelivery, GoneEndpoints } from '@quern/queue';
import type { Logger } from '@quern/service';
import { type AttemptOutcome, outcomeOfAnswer, outcomeOfFault } from './attempt-outcome.ts';
import type { Place, ReceiverGates } from './receiver-gates.ts';
import type { RetrySchedule } from './retry-schedule.ts';
import type { Signer } from './signing.ts';
import type { WebhookMetrics } from './webhook-metrics.ts';

/** What is kept of a receiver's answer: nobody reads it. */
const MAX_ANSWER_BYTES = 1024;

export interface DelivererParts {
  readonly egress: EgressClient;
  readonly compose: (data: DeliveryData) => Promise<string>;
  readonly sign: Signer;
  readonly gates: ReceiverGates;
  readonly gone: GoneEndpoints;
  readonly schedule: RetrySchedule;
  readonly metrics: WebhookMetrics;
  readonly logger: Logger;
  /** Of one attempt. */
  readonly timeoutMs: number;
  /** Breaks off what is under way: it goes back to the queue. */
  readonly stopping: AbortSignal;
}

/** Makes attempts to deliver, and decides what becomes of each delivery. */
export class Deliverer {
  readonly #parts: DelivererParts;

  constructor(parts: DelivererParts) {
    this.#parts = parts;
  }

  /** One delivery that is due: refused, postponed, or tried once. */
  readonly handle = async (delivery: DueDelivery): Promise<DeliveryVerdict> => {
    const verdict = await this.#judge(delivery);
    const { metrics, logger } = this.#parts;
    const { event } = delivery.data;
    metrics.deliveries.inc({ event, outcome: NAMES[verdict.type] });
    if (verdict.type === 'given-up') {
      const { id, data } = delivery;
      const prediction = data.prediction.id;
      logger.warn({ delivery: id, prediction }, `Webhook given up: ${verdict.reason}`);
    }
    return verdict;
  };

  async #judge(delivery: DueDelivery): Promise<DeliveryVerdict> {
    const { gates, gone } = this.#parts;
    const { url, sinceMs } = delivery.data;
    if (!URL.canParse(url)) return this.#giveUp(delivery, 'the webhook is no URL');
    if (await gone.isGone(url)) {
      return this.#giveUp(delivery, 'the receiver has answered 410 Gone before');
    }
    const entrance = gates.enter(new URL(url).origin);
    if (entrance.type === 'admitted') return this.#attempt(delivery, entrance.place);
    if (Date.now() - sinceMs > this.#parts.schedule.lifetimeMs) {
      return this.#giveUp(delivery, 'the receiver was down or busy for too long');
    }
    return { type: 'postponed', untilMs: entrance.untilMs };
  }

  async #attempt(delivery: DueDelivery, place: Place): Promise<DeliveryVerdict> {
    const startedAtMs = performance.now();
    let outcome: AttemptOutcome | undefined;
    try {
      outcome = await this.#send(delivery);
    } finally {
      place.leave({
        receiver: receiverAfter(outcome),
        timeMs: performance.now() - startedAtMs,
        pauseMs: outcome?.type === 'failed' ? outcome.retryAfterMs : undefined,
      });
    }
    // Broken off by the stop: whether it got there is not known, and receivers know repetitions by the id.
    if (outcome === undefined) return { type: 'postponed', untilMs: Date.now() };
    const timeMs = Math.round(performance.now() - startedAtMs);
    const isDelivered = outcome.type === 'delivered';
    const { metrics } = this.#parts;
    metrics.attemptSeconds.observe(
      { outcome: isDelivered ? 'delivered' : 'failed' },
      timeMs / 1000,
    );
    return this.#conclude(delivery, outcome, timeMs);
  }

  async #send({ id, data }: DueDelivery): Promise<AttemptOutcome | undefined> {
    const { egress, compose, sign, timeoutMs, stopping } = this.#parts;
    const body = await compose(data);
    const sentAt = new Date();
    try {
      const answer = await egress.request(data.url, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'user-agent': 'quern-webhooks',
          ...sign(id, sentAt, body),
        },
        body,
        maxBytes: MAX_ANSWER_BYTES,
        oversize: 'truncate',
        redirect: 'manual',
        headersTimeoutMs: timeoutMs,
        totalTimeoutMs: timeoutMs,
        signal: stopping,
      });
      return outcomeOfAnswer(answer, Date.now());
    } catch (error) {
      return stopping.aborted ? undefined : outcomeOfFault(error);
    }
  }

  async #conclude(
    delivery: DueDelivery,
    outcome: AttemptOutcome,
    timeMs: number,
  ): Promise<DeliveryVerdict> {
    const { gone, schedule } = this.#parts;
    const { attempt, data } = delivery;
    const what = `attempt ${attempt}, ${timeMs} ms`;
    switch (outcome.type) {
      case 'delivered':
        await delivery.log(`${isoTime()} ${what}: delivered (${outcome.status})`);
        return { type: 'delivered', status: outcome.status, timeMs };
      case 'gone':
        await gone.mark(data.url);
        return this.#giveUp(delivery, outcome.reason);
      case 'hopeless':
        return this.#giveUp(delivery, outcome.reason);
      case 'failed': {
        const { reason, retryAfterMs } = outcome;
        const delayMs = schedule.pauseAfter(attempt, retryAfterMs);
        if (delayMs === undefined) {
          return this.#giveUp(delivery, `${reason}, at the last of ${attempt} attempts`);
        }
        const again = new Date(Date.now() + delayMs).toISOString();
        await delivery.log(`${isoTime()} ${what}: ${reason}; again at ${again}`);
        return { type: 'retry', delayMs, reason };
      }
    }
  }

  async #giveUp({ data, log }: DueDelivery, why: string): Promise<DeliveryVerdict> {
    const reason = URL.canParse(data.url) ? `${shownUrl(new URL(data.url))}: ${why}` : why;
    await log(`${isoTime()} given up: ${why}`);
    return { type: 'given-up', reason };
  }
}

function receiverAfter(outcome: AttemptOutcome | undefined): 'up' | 'down' | 'unknown' {
  if (outcome === undefined || outcome.type === 'hopeless') return 'unknown';
  return outcome.type === 'failed' && outcome.isReceiverDown ? 'down' : 'up';
}

const NAMES = {
  delivered: 'delivered',
  retry: 'retry',
  postponed: 'postponed',
  'given-up': 'dead',
} as const satisfies Record<DeliveryVerdict['type'], string>;

function isoTime(): string {
  return new Date().toISOString();
}
