import { MODEL_NAME_PATTERN, QuernError, show } from '@quern/contract';
import type {
  KnownModel,
  KnownVersion,
  PredictionQueue,
  WishedState,
  WishOutcome,
} from '@quern/queue';
import type { Request, Response } from 'express';
import { z } from 'zod';
import { forAdministrators } from './administration.ts';
import { sendJson } from './json-response.ts';
import { invalidRequest, parseRequest } from './request-schema.ts';
import type { RouteDeps } from './route-deps.ts';
import { type Handler, pathParameter, type Route } from './routes.ts';
import { waitSignal } from './wait-signal.ts';

/** Body of `POST /v2/repository/index`, which may be left out. */
export const repositoryIndexRequestSchema = z
  .object({
    ready: z.boolean().optional().meta({ description: 'Only versions that are ready.' }),
  })
  .meta({ id: 'RepositoryIndexRequest' });

/** Answer of `POST /v2/repository/index`. */
export const repositoryIndexSchema = z
  .array(
    z.object({
      name: z.string(),
      version: z
        .string()
        .optional()
        .meta({ description: 'Absent where no version could be read.' }),
      state: z.enum(['READY', 'LOADING', 'UNLOADING', 'UNAVAILABLE']),
      reason: z.string().meta({ description: 'Why it is not ready; else empty.' }),
    }),
  )
  .meta({ id: 'RepositoryIndex' });
type RepositoryIndex = z.infer<typeof repositoryIndexSchema>;

/** Body of `POST /v2/repository/models/{model}/load`, which may be left out. */
export const loadRequestSchema = z
  .object({
    parameters: z
      .record(z.string(), z.unknown())
      .optional()
      .meta({ description: 'None is supported: the folder of the model says everything.' }),
  })
  .meta({ id: 'RepositoryLoadRequest' });

/** Body of `POST /v2/repository/models/{model}/unload`, which may be left out. */
export const unloadRequestSchema = z
  .object({
    parameters: z
      .object({
        unload_dependents: z
          .boolean()
          .optional()
          .meta({ description: 'Changes nothing: no model depends on another.' }),
      })
      .optional(),
  })
  .meta({ id: 'RepositoryUnloadRequest' });

/** Answer of `load` and `unload`. */
export const repositoryAnswerSchema = z.object({}).meta({ id: 'RepositoryAnswer' });

/** The model repository extension of the Open Inference Protocol. */
export function repositoryRoutes(deps: RouteDeps): Route[] {
  return [
    { path: '/v2/repository/index', post: index(deps) },
    {
      path: '/v2/repository/models/{model}/load',
      post: forAdministrators(async (request, response) => {
        const { parameters = {} } = await readBody(deps, loadRequestSchema, request, response);
        const [unsupported] = Object.keys(parameters);
        if (unsupported !== undefined) throw notSupported(unsupported);
        await wish(deps, pathParameter(request, 'model'), 'loaded', response);
        sendJson(response, 200, {});
      }),
    },
    {
      path: '/v2/repository/models/{model}/unload',
      post: forAdministrators(async (request, response) => {
        await readBody(deps, unloadRequestSchema, request, response);
        await wish(deps, pathParameter(request, 'model'), 'unloaded', response);
        sendJson(response, 200, {});
      }),
    },
  ];
}

async function readBody<T>(
  { bodies }: RouteDeps,
  schema: z.ZodType<T>,
  request: Request,
  response: Response,
): Promise<T> {
  return parseRequest(schema, (await bodies.optionalJson(request, response)) ?? {}, 'body');
}

function notSupported(parameter: string): QuernError {
  const remedy =
    'put model.yaml and the versions into the folder of the model on every worker, and load it without parameters';
  return invalidRequest(`parameters.${parameter}`, `is not supported; ${remedy}`);
}

function index(deps: RouteDeps): Handler {
  return async (request, response) => {
    const body = await readBody(deps, repositoryIndexRequestSchema, request, response);
    const entries = deps.queue.registry.models().flatMap(indexEntries);
    const wanted = entries.filter(({ state }) => body.ready !== true || state === 'READY');
    sendJson(response, 200, wanted);
  };
}

function indexEntries(model: KnownModel): RepositoryIndex {
  const { name, versions, problems = [], isUnloaded } = model;
  if (versions.length === 0) {
    return [{ name, state: 'UNAVAILABLE', reason: isUnloaded ? 'unloaded' : problems.join('; ') }];
  }
  return versions.map((version) => ({
    name,
    version: String(version.version),
    ...stateOf(version),
  }));
}

function stateOf({
  state,
  reason,
}: KnownVersion): Pick<RepositoryIndex[number], 'state' | 'reason'> {
  switch (state) {
    case 'ready':
      return { state: 'READY', reason: '' };
    case 'loading':
      return { state: 'LOADING', reason: reason ?? '' };
    case 'unloading':
      return { state: 'UNLOADING', reason: '' };
    case 'unloaded':
      return { state: 'UNAVAILABLE', reason: 'unloaded' };
    case 'offline':
      return { state: 'UNAVAILABLE', reason: 'no live worker serves it' };
    default:
      return { state: 'UNAVAILABLE', reason: reason ?? 'unhealthy' };
  }
}

/** Has the workers follow, and waits until they have. */
async function wish(
  { queue, syncWaitMs, stopping }: RouteDeps,
  model: string,
  wished: WishedState,
  response: Response,
): Promise<void> {
  if (!MODEL_NAME_PATTERN.test(model)) throw unknownModel(queue, model);
  const outcome = await queue.operations.wish(model, wished, {
    timeoutMs: syncWaitMs,
    signal: waitSignal(response, stopping),
  });
  if (stopping.aborted && outcome.pending > 0) {
    throw new QuernError(
      'SHUTTING_DOWN',
      `The API stops; the wish that ${model} be ${wished} stands.`,
    );
  }
  const fault = faultOf(queue, model, wished, outcome);
  if (fault !== undefined) throw fault;
}

function faultOf(
  queue: PredictionQueue,
  model: string,
  wished: WishedState,
  { workers, pending, loaded, absent, failures }: WishOutcome,
): QuernError | undefined {
  const stands = `the wish stands, and every worker follows it that starts; POST /v2/repository/index tells how far it is`;
  const isKnown = queue.registry.model(model) !== undefined;
  if (failures.length > 0) {
    return new QuernError(
      'MODEL_LOAD_FAILED',
      `Model ${model} could not be loaded: ${failures.join('; ')}. What was served before is served on.`,
    );
  }
  if (pending > 0) {
    return new QuernError(
      'WAIT_TIMEOUT',
      `${pending} of ${workers} workers have not ${wished} ${model} in time; ${stands}`,
    );
  }
  if (!isKnown && absent === workers) return unknownModel(queue, model);
  if (wished === 'unloaded' || loaded > 0) return undefined;
  if (workers === 0) {
    return new QuernError('MODEL_UNAVAILABLE', `No worker is alive to load ${model}; ${stands}`, {
      details: { retryAfterSeconds: 5 },
    });
  }
  return new QuernError('MODEL_LOAD_FAILED', `No worker has a folder for model ${model} any more.`);
}

function unknownModel(queue: PredictionQueue, model: string): QuernError {
  const known = queue.registry.models().map(({ name }) => name);
  const shown = known.slice(0, 10).join(', ') || 'none';
  return new QuernError(
    'MODEL_NOT_FOUND',
    `model: got ${show(model)}, which no worker has a folder for; known: ${shown}${known.length > 10 ? ', ...' : ''}`,
  );
}
