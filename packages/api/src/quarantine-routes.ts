import type { QuarantinedInput } from '@quern/queue';
import { z } from 'zod';
import { forAdministrators } from './administration.ts';
import { sendJson } from './json-response.ts';
import { resolveKnown } from './prediction-door.ts';
import { parseRequest } from './request-schema.ts';
import type { RouteDeps } from './route-deps.ts';
import { pathParameter, type Route } from './routes.ts';

/** The inputs of a model that are in quarantine, the latest first. */
export const quarantineSchema = z
  .object({
    results: z.array(
      z.object({
        fingerprint: z.string(),
        version: z.string(),
        reason: z
          .string()
          .meta({ description: 'How it ended the process of the model the last time.' }),
        since: z.iso.datetime(),
        until: z.iso.datetime(),
      }),
    ),
  })
  .meta({ id: 'Quarantine' });
type WireQuarantine = z.infer<typeof quarantineSchema>;

/** Body of `POST /v1/models/{model}/quarantine/lift`. */
export const liftQuarantineSchema = z
  .strictObject({
    fingerprint: z
      .string()
      .min(1)
      .optional()
      .meta({ description: 'Of one input; all inputs of the model without it.' }),
  })
  .meta({ id: 'LiftQuarantine' });

export const liftedSchema = z.object({ lifted: z.number().int() }).meta({ id: 'Lifted' });

/** The routes with which operators look at the quarantine and end it. */
export function quarantineRoutes({ queue, bodies }: RouteDeps): Route[] {
  return [
    {
      path: '/v1/models/{model}/quarantine',
      get: async (request, response) => {
        const { name } = await resolveKnown(queue, pathParameter(request, 'model'));
        sendJson(response, 200, quarantineToWire(await queue.operations.quarantined(name)));
      },
    },
    {
      path: '/v1/models/{model}/quarantine/lift',
      post: forAdministrators(async (request, response) => {
        const { name } = await resolveKnown(queue, pathParameter(request, 'model'));
        const body = await bodies.json(request, response);
        const { fingerprint } = parseRequest(liftQuarantineSchema, body, 'body');
        const lifted = await queue.operations.liftQuarantine(name, fingerprint);
        sendJson(response, 200, { lifted });
      }),
    },
  ];
}

function quarantineToWire(inputs: readonly QuarantinedInput[]): WireQuarantine {
  return {
    results: inputs.map(({ fingerprint, version, reason, sinceMs, untilMs }) => ({
      fingerprint,
      version: String(version),
      reason,
      since: new Date(sinceMs).toISOString(),
      until: new Date(untilMs).toISOString(),
    })),
  };
}
