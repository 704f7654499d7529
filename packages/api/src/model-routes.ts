import type { KnownModel } from '@quern/queue';
import { sendJson } from './json-response.ts';
import { modelToWire, type WireModel } from './model-to-wire.ts';
import { resolveKnown } from './prediction-door.ts';
import type { RouteDeps } from './route-deps.ts';
import { pathParameter, type Route } from './routes.ts';

/** The `/v1` routes of models. */
export function modelRoutes({ queue }: RouteDeps): Route[] {
  const describe = async (model: KnownModel): Promise<WireModel> =>
    modelToWire(model, await queue.depth(model.name));
  return [
    {
      path: '/v1/models',
      get: async (_request, response) => {
        const results = await Promise.all(queue.registry.models().map(describe));
        sendJson(response, 200, { results });
      },
    },
    {
      path: '/v1/models/{model}',
      get: async (request, response) => {
        const model = await resolveKnown(queue, pathParameter(request, 'model'));
        sendJson(response, 200, await describe(model));
      },
    },
  ];
}
