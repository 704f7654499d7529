import { QuernError, show } from '@quern/contract';
import type { Delivery } from '@quern/queue';
import { forAdministrators } from './administration.ts';
import {
  deliveryToWire,
  listDeliveriesQuerySchema,
  replayDeliveriesSchema,
} from './delivery-to-wire.ts';
import { sendJson } from './json-response.ts';
import { ANONYMOUS } from './request-context.ts';
import { parseRequest } from './request-schema.ts';
import type { RouteDeps } from './route-deps.ts';
import { type Handler, pathParameter, type Route } from './routes.ts';

/** The routes of webhooks: the secret for receivers, deliveries for administrators. */
export function webhookRoutes({ queue, bodies, webhookSecrets }: RouteDeps): Route[] {
  const { webhooks } = queue;
  const sendSecret: Handler = async (_request, response) => {
    const key = webhookSecrets[0] ?? (await webhooks.secret());
    response.setHeader('Cache-Control', 'no-store');
    sendJson(response, 200, { key });
  };
  return [
    {
      path: '/v1/webhooks/default/secret',
      get: (request, response, context) =>
        // Every API key may; where there are none, it is not for everybody either.
        context.caller === ANONYMOUS
          ? forAdministrators(sendSecret)(request, response, context)
          : sendSecret(request, response, context),
    },
    {
      path: '/v1/webhooks/deliveries',
      get: forAdministrators(async (request, response) => {
        const query = parseRequest(listDeliveriesQuerySchema, request.query, 'query');
        const { state, host, limit } = query;
        const found = await webhooks.list({ state, limit, ...(host !== undefined && { host }) });
        sendJson(response, 200, { results: found.map((delivery) => deliveryToWire(delivery)) });
      }),
    },
    {
      path: '/v1/webhooks/deliveries/{id}',
      get: forAdministrators(async (request, response) => {
        const id = pathParameter(request, 'id');
        const found = await webhooks.get(knownForm(id));
        const { delivery, log = [] } = found ?? {};
        sendJson(response, 200, { ...known(id, delivery), log });
      }),
    },
    {
      path: '/v1/webhooks/deliveries/{id}/replay',
      post: forAdministrators(async (request, response) => {
        const id = pathParameter(request, 'id');
        sendJson(response, 200, known(id, await webhooks.replay(knownForm(id))));
      }),
    },
    {
      path: '/v1/webhooks/replay',
      post: forAdministrators(async (request, response) => {
        const body = await bodies.json(request, response);
        const { host } = parseRequest(replayDeliveriesSchema, body, 'body');
        sendJson(response, 200, { replayed: await webhooks.replayFailed(host) });
      }),
    },
  ];
}

const DELIVERY_ID = /^msg_[\w-]{27}$/;

/** An id that cannot exist is answered without asking Redis. */
function knownForm(id: string): string {
  if (!DELIVERY_ID.test(id)) throw deliveryNotFound(id);
  return id;
}

function known(id: string, delivery: Delivery | undefined): ReturnType<typeof deliveryToWire> {
  if (delivery === undefined) throw deliveryNotFound(id);
  return deliveryToWire(delivery);
}

function deliveryNotFound(id: string): QuernError {
  return new QuernError(
    'DELIVERY_NOT_FOUND',
    `id: got ${show(id)}, but no such delivery exists, or its retention has ended`,
  );
}
