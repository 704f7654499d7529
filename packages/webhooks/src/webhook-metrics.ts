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
 * @param depth reads how the queue stands, when somebody reads the metrics; undefined if Redis is away
 * @param receiversDown how many breakers are open
 */
export function createWebhookMetrics(
  registry: Registry,
  depth: () => Promise<DeliveryDepth | undefined>,
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
  depth: () => Promise<DeliveryDepth | undefined>,
  receiversDown: () => number,
): void {
  const registers = [registry];
  const shared = oncePerScrape(depth);
  // Each gauge is read as soon as its own `collect` is done, so each has one.
  const gauge = (name: string, help: string, read: (now: DeliveryDepth) => number): void => {
    new Gauge({
      name,
      help,
      registers,
      async collect() {
        const now = await shared();
        if (now !== undefined) this.set(read(now));
      },
    });
  };
  gauge(
    'quern_webhook_waiting',
    'Deliveries of all processes that are not delivered yet, those between two attempts included.',
    ({ waiting }) => waiting,
  );
  gauge(
    'quern_webhook_dead_letters',
    'Deliveries that were given up and are kept for a replay.',
    ({ failed }) => failed,
  );
  gauge(
    'quern_webhook_oldest_due_seconds',
    'How long the delivery that has been due the longest has been due.',
    ({ oldestDueMs }) => (oldestDueMs ?? 0) / 1000,
  );
  new Gauge({
    name: 'quern_webhook_receivers_down',
    help: 'Receivers (scheme, host and port) that this process leaves alone because they kept failing.',
    registers,
    collect() {
      this.set(receiversDown());
    },
  });
}

/** The gauges of one scrape share one reading. */
function oncePerScrape<T>(read: () => Promise<T>): () => Promise<T | undefined> {
  let reading: Promise<T | undefined> | undefined;
  return () => {
    reading ??= read()
      // Redis's faults must not take the other metrics along.
      .catch(() => undefined)
      .finally(() => {
        reading = undefined;
      });
    return reading;
  };
}
