import type { OpenAPIRegistry, RouteConfig } from '@asteasolutions/zod-to-openapi';
import { z } from 'zod';
import { ADMINISTRATORS, FAULTS, jsonBody, jsonResponse, v2Errors } from './openapi-responses.ts';
import {
  loadRequestSchema,
  repositoryAnswerSchema,
  repositoryIndexRequestSchema,
  repositoryIndexSchema,
  unloadRequestSchema,
} from './repository-routes.ts';

const REPOSITORY = { tags: ['Model repository'], method: 'post' as const };
const params = z.object({ model: z.string().meta({ description: 'Name of the model.' }) });

const ROUTES: readonly RouteConfig[] = [
  {
    ...REPOSITORY,
    path: '/v2/repository/index',
    operationId: 'repositoryIndex',
    summary: 'What the workers have loaded',
    request: { body: optional(jsonBody(repositoryIndexRequestSchema, { everything: {} })) },
    responses: {
      '200': jsonResponse('Every known version of every model.', repositoryIndexSchema),
      ...v2Errors(FAULTS.repositoryIndex),
    },
  },
  {
    ...REPOSITORY,
    ...ADMINISTRATORS,
    path: '/v2/repository/models/{model}/load',
    operationId: 'loadModel',
    summary: 'Have every worker read the folder of a model again, and load it',
    description:
      'What is served goes on until the new versions are ready. Workers that start later load it, too. The answer comes when all live workers have followed.',
    request: { params, body: optional(jsonBody(loadRequestSchema, { 'as it is': {} })) },
    responses: {
      '200': jsonResponse('It is loaded.', repositoryAnswerSchema),
      ...v2Errors(FAULTS.repository),
    },
  },
  {
    ...REPOSITORY,
    ...ADMINISTRATORS,
    path: '/v2/repository/models/{model}/unload',
    operationId: 'unloadModel',
    summary: 'Have every worker end the processes of a model',
    description:
      'Running batches end first. Predictions that wait, and those made through /v1 from then on, wait until it is loaded again. Workers that start later leave it alone, too.',
    request: { params, body: optional(jsonBody(unloadRequestSchema, { 'as it is': {} })) },
    responses: {
      '200': jsonResponse('It is unloaded.', repositoryAnswerSchema),
      ...v2Errors(FAULTS.repository),
    },
  },
];

function optional<T extends object>(body: T): T & { required: false } {
  return { ...body, required: false };
}

/** The paths of the model repository extension. */
export function registerRepositoryPaths(registry: OpenAPIRegistry): void {
  for (const route of ROUTES) registry.registerPath(route);
}
