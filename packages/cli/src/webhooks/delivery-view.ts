import { z } from 'zod';

/** What the API says of a delivery. */
export const deliveryViewSchema = z.looseObject({
  id: z.string(),
  event: z.string(),
  state: z.string(),
  prediction: z.looseObject({ id: z.string(), status: z.string() }),
  url: z.string(),
  failed_attempts: z.number(),
  since: z.string(),
  next_attempt_at: z.string().nullable(),
  reason: z.string().nullable(),
  /** Only of a single one. */
  log: z.array(z.string()).optional(),
});
export type DeliveryView = z.infer<typeof deliveryViewSchema>;

export const deliveryListSchema = z.looseObject({ results: z.array(deliveryViewSchema) });
export type DeliveryList = z.infer<typeof deliveryListSchema>;

export const replayedViewSchema = z.looseObject({ replayed: z.number() });
