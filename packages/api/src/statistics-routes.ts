import { sendJson } from './json-response.ts';
import { resolveKnown, versionsOf } from './prediction-door.ts';
import type { RouteDeps } from './route-deps.ts';
import { type Handler, optionalParameter, type Route } from './routes.ts';
import { statisticsToWire } from './statistics-to-wire.ts';

/** The protocol's statistics, of all models, of one, or of one version. */
export function statisticsRoutes(deps: RouteDeps): Route[] {
  const get = modelStatistics(deps);
  return [
    // Before the models themselves: none can be asked for by the name of this path.
    { path: '/v2/models/stats', get },
    { path: '/v2/models/{model}/stats', get },
    { path: '/v2/models/{model}/versions/{version}/stats', get },
  ];
}

function modelStatistics({ queue }: RouteDeps): Handler {
  return async (request, response) => {
    const name = optionalParameter(request, 'model');
    const models = name === undefined ? queue.registry.models() : [await resolveKnown(queue, name)];
    const version = optionalParameter(request, 'version');
    const results = await Promise.all(
      models.map(async (model) => {
        const versions = versionsOf(model, version);
        const statistics = await queue.operations.statistics(model.name, versions);
        return statistics.map((item, i) => statisticsToWire(model.name, versions[i] ?? 0, item));
      }),
    );
    sendJson(response, 200, { model_stats: results.flat() }, true);
  };
}
