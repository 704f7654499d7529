import { setMaxListeners } from 'node:events';
import { hostname } from 'node:os';
import { openBlobs } from '@quern/blobs';
import { EgressClient, egressRules, type ResolveHost } from '@quern/egress';
import {
  checkRedis,
  connectRedis,
  DeliveredPredictions,
  DeliveryConsumer,
  GoneEndpoints,
  OutboxSweep,
  PayloadStore,
  readDeliveryDepth,
  sharedWebhookSecret,
} from '@quern/queue';
import { type Lifecycle, type Logger, type Registry, serveProbes } from '@quern/service';
import { Deliverer } from './deliverer.ts';
import { composePayload } from './payload-composer.ts';
import { ReceiverGates } from './receiver-gates.ts';
import { RetrySchedule } from './retry-schedule.ts';
import type { WebhooksSettings } from './settings.ts';
import { signerWith } from './signing.ts';
import { createWebhookMetrics } from './webhook-metrics.ts';

export interface WebhooksParts {
  readonly settings: WebhooksSettings;
  readonly logger: Logger;
  readonly metrics: Registry;
  /** Default: as the machine resolves names. */
  readonly resolveHost?: ResolveHost;
}

/**
 * Starts the delivery of webhooks. What it opens is deferred to `lifecycle`, so closing runs backwards:
 * it stops fetching, lets attempts under way finish within the grace, and disconnects. Any number of
 * such processes may run at a time.
 */
export async function startWebhooks(
  { settings, logger, metrics: registry, resolveHost }: WebhooksParts,
  lifecycle: Lifecycle,
): Promise<{ readonly port: number }> {
  const onError = (error: Error): void => logger.warn(`Redis: ${error.message}`);
  const redis = await connectRedis({
    url: settings.redisUrl,
    role: 'worker',
    name: 'webhooks',
    waitMs: settings.redisWaitMs,
    onWaiting: (reason) => logger.warn(`Waiting for Redis: ${reason}`),
    onError,
  });
  lifecycle.defer('Redis', () => redis.disconnect());
  for (const warning of await checkRedis(redis)) logger.warn(warning);
  const { webhookSecrets, concurrencyPerOrigin } = settings;
  const secrets = webhookSecrets.length > 0 ? webhookSecrets : [await sharedWebhookSecret(redis)];

  const gates = new ReceiverGates({ concurrencyPerOrigin });
  const metrics = createWebhookMetrics(
    registry,
    // Away, Redis would keep the scrape waiting for as long.
    async () => (redis.status === 'ready' ? readDeliveryDepth(redis) : undefined),
    () => gates.down,
  );
  const egress = new EgressClient({
    rules: egressRules(settings),
    ...(resolveHost !== undefined && { resolveHost }),
  });
  lifecycle.defer('connections to receivers', () => egress.close());
  const blobs = openBlobs(settings);
  lifecycle.defer('blob stores', () => blobs.close());
  const predictions = new DeliveredPredictions(redis, new PayloadStore(redis, blobs), onError);
  lifecycle.defer('queues of predictions', () => predictions.close());
  const { payload, maxBodyBytes } = settings;
  const stopping = new AbortController();
  // Every attempt listens to it.
  setMaxListeners(0, stopping.signal);
  const deliverer = new Deliverer({
    egress,
    compose: (data) =>
      composePayload(data, {
        payload,
        maxBodyBytes,
        read: (delivered, maxOutputBytes) => predictions.read(delivered, maxOutputBytes),
      }),
    sign: signerWith(secrets),
    gates,
    gone: new GoneEndpoints(redis),
    schedule: new RetrySchedule(settings.schedule),
    metrics,
    logger,
    timeoutMs: settings.timeoutMs,
    stopping: stopping.signal,
  });
  const consumer = new DeliveryConsumer({
    redis,
    workerName: `${hostname()}-${process.pid}`,
    concurrency: settings.concurrency,
    lockDurationMs: settings.lockDurationMs,
    stalledIntervalMs: settings.stalledIntervalMs,
    handler: deliverer.handle,
    onError,
  });
  lifecycle.defer('deliveries', async () => {
    const grace = setTimeout(() => stopping.abort(), settings.shutdownGraceMs);
    await consumer.close();
    clearTimeout(grace);
  });
  const sweep = new OutboxSweep({
    redis,
    onError,
    onFound: (deliveries) => {
      metrics.recovered.inc(deliveries);
      logger.info({ deliveries }, 'Webhooks found that were not enqueued when predictions ended');
    },
    onVanished: (model, prediction) =>
      logger.warn({ model, prediction }, 'A prediction with a webhook is gone; nobody is told'),
  });
  lifecycle.defer('outbox', () => sweep.close());
  sweep.start();
  consumer.start();

  const { port } = await openProbes(
    { settings, registry },
    () => redis.status === 'ready',
    lifecycle,
  );
  logger.info({ port }, 'Webhooks started');
  return { port };
}

async function openProbes(
  { settings, registry }: { settings: WebhooksSettings; registry: Registry },
  isReady: () => boolean,
  lifecycle: Lifecycle,
): Promise<{ port: number }> {
  const probes = await serveProbes({
    host: settings.webhooksHost,
    port: settings.port,
    portVariable: 'QUERN_WEBHOOKS_PORT',
    metrics: registry,
    readiness: () => ({ ready: isReady() }),
  });
  lifecycle.defer('probes', probes.close);
  return probes;
}
