import { shownUrl } from '@quern/egress';
import { DELIVERY_STATES, type Delivery } from '@quern/queue';
import { z } from 'zod';

const MAX_PAGE = 1000;

const hostField = z
  .string()
  .max(300)
  .optional()
  .meta({
    description: 'Host of the receiver, with its port if the URL has one. Default: all.',
    examples: ['hooks.example.com'],
  });

/** Query of `GET /v1/webhooks/deliveries`. */
export const listDeliveriesQuerySchema = z.strictObject({
  state: z
    .enum(DELIVERY_STATES)
    .default('failed')
    .meta({ description: '`failed`, the default: dead letters.' }),
  host: hostField,
  limit: z.coerce.number().int().min(1).max(MAX_PAGE).default(100),
});

/** Body of `POST /v1/webhooks/replay`. */
export const replayDeliveriesSchema = z
  .strictObject({ host: hostField })
  .meta({ id: 'ReplayDeliveries' });

export const replayedSchema = z.object({ replayed: z.number().int() }).meta({ id: 'Replayed' });

export const webhookSecretSchema = z
  .object({
    key: z.string().meta({ description: '`whsec_` and base64, as Standard Webhooks has it.' }),
  })
  .meta({ id: 'WebhookSecret' });

const deliveryFields = {
  id: z.string().meta({ description: 'What receivers get as `webhook-id`.' }),
  event: z.string(),
  state: z.enum(DELIVERY_STATES),
  prediction: z.object({ id: z.string(), model: z.string(), status: z.string() }),
  url: z.string().meta({ description: 'The receiver; without the query, which may hold secrets.' }),
  failed_attempts: z.number().int(),
  since: z.iso.datetime().meta({ description: 'When it was made, or replayed.' }),
  next_attempt_at: z.iso.datetime().nullable(),
  finished_at: z.iso.datetime().nullable(),
  reason: z.string().nullable().meta({ description: 'Why the last attempt failed.' }),
};

/** A delivery on the wire. */
export const deliverySchema = z.object(deliveryFields).meta({ id: 'Delivery' });
type WireDelivery = z.infer<typeof deliverySchema>;

/** A delivery with its log. */
export const deliveryWithLogSchema = z
  .object({
    ...deliveryFields,
    log: z.array(z.string()).meta({ description: 'What was tried, oldest first.' }),
  })
  .meta({ id: 'DeliveryWithLog' });

export const deliveryListSchema = z
  .object({ results: z.array(deliverySchema) })
  .meta({ id: 'DeliveryList' });

/** A delivery as administrators read it. */
export function deliveryToWire(delivery: Delivery): WireDelivery {
  const { data, nextAttemptAtMs, finishedAtMs, reason } = delivery;
  const { id, model, status } = data.prediction;
  return {
    id: delivery.id,
    event: data.event,
    state: delivery.state,
    prediction: { id, model, status },
    url: URL.canParse(data.url) ? shownUrl(new URL(data.url)) : '',
    failed_attempts: delivery.failedAttempts,
    since: new Date(data.sinceMs).toISOString(),
    next_attempt_at: isoTimeOrNull(nextAttemptAtMs),
    finished_at: isoTimeOrNull(finishedAtMs),
    reason: reason ?? null,
  };
}

function isoTimeOrNull(timeMs: number | undefined): string | null {
  return timeMs === undefined ? null : new Date(timeMs).toISOString();
}
