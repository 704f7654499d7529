import { OpenAPIRegistry, OpenApiGeneratorV31 } from '@asteasolutions/zod-to-openapi';
import { z } from 'zod';
import { registerFilePaths } from './bulk/openapi-file-paths.ts';
import { registerQuarantinePaths } from './openapi-quarantine-paths.ts';
import { registerRepositoryPaths } from './openapi-repository-paths.ts';
import { jsonResponse, v1Errors } from './openapi-responses.ts';
import { registerV1Paths } from './openapi-v1-paths.ts';
import { registerV2Paths } from './openapi-v2-paths.ts';
import { registerWebhookPaths } from './openapi-webhook-paths.ts';

export type OpenApiDocument = ReturnType<OpenApiGeneratorV31['generateDocument']>;

const DESCRIPTION = `Predictions with ONNX models, through a durable queue.

\`/v1\` creates predictions that are read later, waited for, or canceled; \`/v2\` is the Open Inference
Protocol, synchronous over the same queue. Errors carry a code of a fixed catalogue and say what was
got, what was expected and where.`;

/** The API's description, made of the schemas that the routes use. */
export function openApiDocument(version: string): OpenApiDocument {
  const registry = new OpenAPIRegistry();
  registry.registerComponent('securitySchemes', 'apiKey', {
    type: 'http',
    scheme: 'bearer',
    description: 'One of QUERN_API_KEYS, if the server has any.',
  });
  registry.registerComponent('securitySchemes', 'adminKey', {
    type: 'http',
    scheme: 'bearer',
    description: 'One of QUERN_ADMIN_KEYS, if the server has any keys.',
  });
  registerV1Paths(registry);
  registerQuarantinePaths(registry);
  registerWebhookPaths(registry);
  registerFilePaths(registry);
  registerV2Paths(registry);
  registerRepositoryPaths(registry);
  registerOwnPaths(registry);
  return new OpenApiGeneratorV31(registry.definitions).generateDocument({
    openapi: '3.1.0',
    info: { title: 'Quern', version, description: DESCRIPTION },
    servers: [{ url: '/' }],
    // A server without keys asks for none, hence the empty alternative.
    security: [{ apiKey: [] }, {}],
  });
}

const ABOUT = { tags: ['About the server'] };

function registerOwnPaths(registry: OpenAPIRegistry): void {
  registry.registerPath({
    ...ABOUT,
    method: 'get',
    path: '/',
    operationId: 'index',
    summary: 'Where to go',
    responses: {
      '200': jsonResponse('Paths by what they are.', z.record(z.string(), z.string())),
      ...v1Errors([]),
    },
  });
  registry.registerPath({
    ...ABOUT,
    method: 'get',
    path: '/openapi.json',
    operationId: 'openApi',
    summary: 'This description',
    responses: {
      '200': jsonResponse('OpenAPI 3.1.', z.record(z.string(), z.unknown())),
      ...v1Errors([]),
    },
  });
  registry.registerPath({
    ...ABOUT,
    method: 'get',
    path: '/metrics',
    operationId: 'metrics',
    summary: 'Figures for Prometheus',
    responses: {
      '200': { description: 'Text format.', content: { 'text/plain': { schema: z.string() } } },
      ...v1Errors([]),
    },
  });
}
