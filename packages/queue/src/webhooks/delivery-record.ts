import { createHash } from 'node:crypto';
import { predictionToWire } from '@quern/contract';
import type { BulkJobOptions } from 'bullmq';
import { z } from 'zod';
import { type JobView, predictionFromJob } from '../job-record.ts';
import { SENT_EVENTS, type SentEvent, wants } from './webhook-order.ts';

/** The name of the queue of deliveries; no model can have it. */
export const DELIVERY_QUEUE = '~webhooks';

/** What is kept of a delivery. */
export const deliveryDataSchema = z.object({
  event: z.enum(SENT_EVENTS),
  url: z.string(),
  baseUrl: z.string(),
  /** When the prediction was created: an id may be used again once it is forgotten. */
  createdAtMs: z.number(),
  /** Since when it is tried: when it was made, or replayed. */
  sinceMs: z.number(),
  /**
   * The prediction on the wire as it was then, without its output. It is sent if the prediction is gone
   * by then, and more than these fields nobody reads of it.
   */
  prediction: z.looseObject({
    id: z.string(),
    model: z.string(),
    version: z.string(),
    status: z.string(),
    urls: z.looseObject({ get: z.string() }),
  }),
});
export type DeliveryData = z.infer<typeof deliveryDataSchema>;

/** Retries are scheduled by who delivers, see `DeliveryConsumer`: BullMQ only must not end them. */
const UNLIMITED_ATTEMPTS = 1_000_000;
const DAY_SECONDS = 86_400;

interface DeliveryJob {
  readonly name: string;
  readonly data: DeliveryData;
  readonly opts: BulkJobOptions;
}

/**
 * The job that tells of an event of a prediction; undefined if nobody asked. The same event of the same
 * prediction is always the same job, so however often it is added, it is there once.
 */
export function deliveryJob(view: JobView, event: SentEvent): DeliveryJob | undefined {
  const { webhook } = view.data;
  if (webhook === undefined || !wants(webhook, event)) return undefined;
  const { body } = predictionToWire(predictionFromJob(view, 'not read'), webhook.baseUrl);
  return {
    name: `${event} ${body.model}:${body.version}`,
    data: {
      event,
      url: webhook.url,
      baseUrl: webhook.baseUrl,
      createdAtMs: view.createdAtMs,
      sinceMs: Date.now(),
      prediction: { ...body, output: null },
    },
    opts: {
      jobId: deliveryId(view, event),
      attempts: UNLIMITED_ATTEMPTS,
      backoff: { type: 'schedule' },
      removeOnComplete: { age: 3 * DAY_SECONDS, count: 10_000 },
      removeOnFail: { age: 30 * DAY_SECONDS, count: 10_000 },
      keepLogs: 50,
      stackTraceLimit: 0,
    },
  };
}

/** The id that receivers see, too. It holds no full stop, which delimits what is signed. */
function deliveryId({ id, data, createdAtMs }: JobView, event: SentEvent): string {
  const digest = createHash('sha256')
    .update(JSON.stringify([data.model, id, createdAtMs, event]))
    .digest('base64url');
  return `msg_${digest.slice(0, 27)}`;
}
