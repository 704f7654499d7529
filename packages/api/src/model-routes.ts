import type { KnownModel } from '@quern/queue';
import { forAdministrators } from './administration.ts';
import { sendJson } from './json-response.ts';
import { getModelQuerySchema } from './model-query.ts';
import { modelToWire, type WireModel } from './model-to-wire.ts';
import { resolveKnown, versionsOf } from './prediction-door.ts';
import { parseRequest } from './request-schema.ts';
import type { RouteDeps } from './route-deps.ts';
import { type Handler, optionalParameter, pathParameter, type Route } from './routes.ts';

/** The `/v1` routes of models. */
export function modelRoutes({ queue }: RouteDeps): Route[] {
  const describe = async (model: KnownModel): Promise<WireModel> =>
    modelToWire(model, await queue.depth(model.name));
  const reset = forAdministrators(resetProfile({ queue }));
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
        const { profile } = parseRequest(getModelQuerySchema, request.query, 'query');
        const model = await resolveKnown(queue, pathParameter(request, 'model'));
        const [depth, profiles] = await Promise.all([
          queue.depth(model.name),
          profile === 'true' ? queue.operations.profiles(model.name) : undefined,
        ]);
        sendJson(response, 200, modelToWire(model, depth, profiles));
      },
    },
    { path: '/v1/models/{model}/profile', delete: reset },
    { path: '/v1/models/{model}/versions/{version}/profile', delete: reset },
  ];
}

/** Forgets the run times of one version, or of all. */
function resetProfile({ queue }: Pick<RouteDeps, 'queue'>): Handler {
  return async (request, response) => {
    const model = await resolveKnown(queue, pathParameter(request, 'model'));
    const versions = versionsOf(model, optionalParameter(request, 'version'));
    const forgotten = await queue.operations.resetProfiles(model.name, versions);
    sendJson(response, 200, { model: model.name, versions: versions.map(String), forgotten });
  };
}
