import { WEBHOOK_EVENTS } from '@quern/contract';
import { z } from 'zod';

/** Who is to be told of a prediction, as its job keeps it. */
export const webhookOrderSchema = z.object({
  url: z.string(),
  /** None: `completed` alone. */
  events: z.array(z.enum(WEBHOOK_EVENTS)).optional(),
  /** Scheme and authority of the links in what is sent; empty for relative ones. */
  baseUrl: z.string(),
});
export type WebhookOrder = z.infer<typeof webhookOrderSchema>;

/** The events that do happen. */
export const SENT_EVENTS = ['start', 'completed'] as const;
export type SentEvent = (typeof SENT_EVENTS)[number];

/** Whether an order asks for an event. */
export function wants(order: WebhookOrder | undefined, event: SentEvent): boolean {
  return order !== undefined && (order.events ?? ['completed']).includes(event);
}
