import { z } from 'zod';
import { sendJson } from './json-response.ts';
import type { RouteDeps } from './route-deps.ts';
import type { Route } from './routes.ts';

export const webhookSecretSchema = z
  .object({
    key: z.string().meta({ description: '`whsec_` and base64, as Standard Webhooks has it.' }),
  })
  .meta({ id: 'WebhookSecret' });

/** The routes of webhooks. */
export function webhookRoutes({ queue, webhookSecrets }: RouteDeps): Route[] {
  return [
    {
      path: '/v1/webhooks/default/secret',
      get: async (_request, response) => {
        const key = webhookSecrets[0] ?? (await queue.webhookSecret());
        response.setHeader('Cache-Control', 'no-store');
        sendJson(response, 200, { key });
      },
    },
  ];
}
