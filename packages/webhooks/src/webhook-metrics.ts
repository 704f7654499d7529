import type { DeliveryDepth } from '@quern/queue';
import { Counter, Gauge, Histogram, type Registry } from '@quern/service';

const ATTEMPT_BUCKETS_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30];

export interface WebhookMetrics {
  /** `outcome` is delivered, retry, postponed or dead. */
  readonly deliveries: Counter<'event' | 'outcome'>;
  readonly attemptSeconds: Histogram<'outcome'>;
  readonly recovered: Counter<string>;
}

/**
 * @param depth reads how the queue stands, when somebody reads the metrics
 * @param receiversDown how many breakers are open
 */
export function createWebhookMetrics(
  registry: Registry,
  depth: () => Promise<DeliveryDepth>,
  receiversDown: () => number,
): WebhookMetrics {
  const registers = [registry];
  addGauges(registry, depth, receiversDown);
  return {
    deliveries: new Counter({
      name: 'quern_webhook_deliveries_total',
      help: 'What became of deliveries that were due: delivered, retry, postponed (not tried) or dead.',
      labelNames: ['event', 'outcome'],
      registers,
    }),
    attemptSeconds: new Histogram({
      name: 'quern_webhook_attempt_seconds',
      help: 'Time of a request to a receiver, by outcome: delivered or failed.',
      labelNames: ['outcome'],
      buckets: ATTEMPT_BUCKETS_SECONDS,
      registers,
    }),
    recovered: new Counter({
      name: 'quern_webhook_recovered_total',
      help: 'Deliveries that were found because the process that should have enqueued them had not.',
      registers,
    }),
  };
}

function addGauges(
  registry: Registry,
  depth: () => Promise<DeliveryDepth>,
  receiversDown: () => number,
): void {
  const registers = [registry];
  const waiting = new Gauge({
    name: 'quern_webhook_waiting',
    help: 'Deliveries of all processes that are not delivered yet, those between two attempts included.',
    registers,
  });
  const failed = new Gauge({
    name: 'quern_webhook_dead_letters',
    help: 'Deliveries that were given up and are kept for a replay.',
    registers,
  });
  const overdue = new Gauge({
    name: 'quern_webhook_oldest_due_seconds',
    help: 'How long the delivery that has been due the longest has been due.',
    registers,
  });
  new Gauge({
    name: 'quern_webhook_receivers_down',
    help: 'Receivers (scheme, host and port) that this process leaves alone because they kept failing.',
    registers,
    async collect() {
      this.set(receiversDown());
      // Away, Redis must not take the other metrics along.
      const now = await depth().catch(() => undefined);
      if (now === undefined) return;
      waiting.set(now.waiting);
      failed.set(now.failed);
      overdue.set((now.oldestDueMs ?? 0) / 1000);
    },
  });
}
