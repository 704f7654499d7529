import type { OpenAPIRegistry, RouteConfig } from '@asteasolutions/zod-to-openapi';
import { z } from 'zod';
import {
  deliveryListSchema,
  deliverySchema,
  deliveryWithLogSchema,
  listDeliveriesQuerySchema,
  replayDeliveriesSchema,
  replayedSchema,
  webhookSecretSchema,
} from './delivery-to-wire.ts';
import { ADMINISTRATORS, FAULTS, jsonBody, jsonResponse, v1Errors } from './openapi-responses.ts';

const WEBHOOKS = { tags: ['Webhooks'] };
const idParameter = z.object({ id: z.string().meta({ description: 'Id of the delivery.' }) });

const ROUTES: readonly RouteConfig[] = [
  {
    ...WEBHOOKS,
    method: 'get',
    path: '/v1/webhooks/default/secret',
    operationId: 'getWebhookSecret',
    summary: 'Read the secret with which receivers verify webhooks',
    responses: {
      '200': jsonResponse('The newest secret.', webhookSecretSchema),
      ...v1Errors([...FAULTS.redis, ...FAULTS.administration]),
    },
  },
  {
    ...WEBHOOKS,
    ...ADMINISTRATORS,
    method: 'get',
    path: '/v1/webhooks/deliveries',
    operationId: 'listDeliveries',
    summary: 'List deliveries of webhooks, the latest first',
    request: { query: listDeliveriesQuerySchema },
    responses: {
      '200': jsonResponse('Deliveries of one state.', deliveryListSchema),
      ...v1Errors([...FAULTS.redis, ...FAULTS.administration]),
    },
  },
  {
    ...WEBHOOKS,
    ...ADMINISTRATORS,
    method: 'get',
    path: '/v1/webhooks/deliveries/{id}',
    operationId: 'getDelivery',
    summary: 'Read a delivery with its log',
    request: { params: idParameter },
    responses: {
      '200': jsonResponse('The delivery.', deliveryWithLogSchema),
      ...v1Errors([...FAULTS.delivery, ...FAULTS.administration]),
    },
  },
  {
    ...WEBHOOKS,
    ...ADMINISTRATORS,
    method: 'post',
    path: '/v1/webhooks/deliveries/{id}/replay',
    operationId: 'replayDelivery',
    summary: 'Deliver again, from the first attempt on',
    request: { params: idParameter },
    responses: {
      '200': jsonResponse('The delivery as it stands now.', deliverySchema),
      ...v1Errors([...FAULTS.delivery, ...FAULTS.administration]),
    },
  },
  {
    ...WEBHOOKS,
    ...ADMINISTRATORS,
    method: 'post',
    path: '/v1/webhooks/replay',
    operationId: 'replayDeliveries',
    summary: 'Replay every dead letter, or those to one host',
    request: { body: jsonBody(replayDeliveriesSchema, { 'to one host': { host: 'example.com' } }) },
    responses: {
      '200': jsonResponse('How many are delivered again.', replayedSchema),
      ...v1Errors([...FAULTS.redis, ...FAULTS.body, ...FAULTS.administration]),
    },
  },
];

/** The paths of webhooks. */
export function registerWebhookPaths(registry: OpenAPIRegistry): void {
  for (const route of ROUTES) registry.registerPath(route);
}
