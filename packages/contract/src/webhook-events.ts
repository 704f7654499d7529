import { z } from 'zod';

/** What a client may ask to be told of; `output` and `logs` are Replicate's and never happen here. */
export const WEBHOOK_EVENTS = ['start', 'output', 'logs', 'completed'] as const;
export type WebhookEvent = (typeof WEBHOOK_EVENTS)[number];

/** The fields of a create body that ask for webhooks; the URL is judged where address rules are known. */
export const webhookFields = {
  webhook: z
    .string()
    .optional()
    .meta({
      description:
        'URL that is told by POST, signed after Standard Webhooks. It is kept, but not echoed: it may hold secrets.',
      examples: ['https://example.com/hooks/quern'],
    }),
  webhook_events_filter: z.array(z.enum(WEBHOOK_EVENTS)).max(16).optional().meta({
    description:
      'What the webhook is told of. Default: `completed`, the end. `start`: a worker has it. `output` and `logs` are accepted and never sent.',
  }),
};
