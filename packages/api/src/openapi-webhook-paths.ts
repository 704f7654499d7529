import type { OpenAPIRegistry } from '@asteasolutions/zod-to-openapi';
import { FAULTS, jsonResponse, v1Errors } from './openapi-responses.ts';
import { webhookSecretSchema } from './webhook-routes.ts';

/** The paths of webhooks. */
export function registerWebhookPaths(registry: OpenAPIRegistry): void {
  registry.registerPath({
    tags: ['Webhooks'],
    method: 'get',
    path: '/v1/webhooks/default/secret',
    operationId: 'getWebhookSecret',
    summary: 'Read the secret with which receivers verify webhooks',
    responses: {
      '200': jsonResponse('The newest secret.', webhookSecretSchema),
      ...v1Errors(FAULTS.redis),
    },
  });
}
