import type { OpenAPIRegistry, RouteConfig } from '@asteasolutions/zod-to-openapi';
import { inferRequestSchema, inferResponseSchema, modelMetadataSchema } from '@quern/contract';
import { z } from 'zod';
import { binaryContent, FAULTS, jsonBody, jsonResponse, v2Errors } from './openapi-responses.ts';
import {
  liveSchema,
  modelReadySchema,
  readySchema,
  serverMetadataSchema,
} from './protocol-routes.ts';
import { modelStatisticsSchema } from './statistics-to-wire.ts';

const model = z.object({ model: z.string().meta({ description: 'Name of the model.' }) });
const version = model.extend({
  version: z.string().meta({ description: 'Version of the model, such as 1.' }),
});

const PROTOCOL = { tags: ['Open Inference Protocol'] };

const INFER_EXAMPLES = {
  tensors: {
    id: 'my-1',
    inputs: [{ name: 'image', shape: [1, 2, 2], datatype: 'FP32', data: [0, 0.5, 1, 0] }],
  },
};

const SERVER_ROUTES: readonly RouteConfig[] = [
  {
    ...PROTOCOL,
    method: 'get',
    path: '/v2',
    operationId: 'serverMetadata',
    summary: 'Name, version and protocol extensions of the server',
    responses: {
      '200': jsonResponse('The server.', serverMetadataSchema),
      ...v2Errors(FAULTS.none),
    },
  },
  {
    ...PROTOCOL,
    method: 'get',
    path: '/v2/health/live',
    operationId: 'serverLive',
    summary: 'Whether the process answers',
    security: [],
    responses: { '200': jsonResponse('It does.', liveSchema) },
  },
  {
    ...PROTOCOL,
    method: 'get',
    path: '/v2/health/ready',
    operationId: 'serverReady',
    summary: 'Whether predictions are accepted: Redis answers',
    security: [],
    responses: {
      '200': jsonResponse('Ready.', readySchema),
      '503': jsonResponse('Redis does not answer, or the process is stopping.', readySchema),
    },
  },
];

const statistics = (path: string, suffix: string, of: string): RouteConfig => ({
  ...PROTOCOL,
  method: 'get',
  path,
  operationId: `modelStatistics${suffix}`,
  summary: `What ${of} done so far, in numbers and times`,
  description: 'Up to a fraction of a second behind.',
  responses: {
    '200': jsonResponse('The statistics.', modelStatisticsSchema),
    ...v2Errors(suffix === '' ? FAULTS.redis : FAULTS.version),
  },
});

const STATISTICS_ROUTES: readonly RouteConfig[] = [
  statistics('/v2/models/stats', '', 'all models have'),
  {
    ...statistics('/v2/models/{model}/stats', 'OfModel', 'a model has'),
    request: { params: model },
  },
  {
    ...statistics('/v2/models/{model}/versions/{version}/stats', 'OfVersion', 'a version has'),
    request: { params: version },
  },
];

/** Each of the protocol's model operations exists with and without a version. */
const FORMS = [
  { path: '/v2/models/{model}', params: model, suffix: '' },
  { path: '/v2/models/{model}/versions/{version}', params: version, suffix: 'Version' },
];

const MODEL_ROUTES: readonly RouteConfig[] = FORMS.flatMap(({ path, params, suffix }) => [
  {
    ...PROTOCOL,
    method: 'get' as const,
    path,
    operationId: `modelMetadata${suffix}`,
    summary: 'Inputs and outputs of a model',
    request: { params },
    responses: {
      '200': jsonResponse('The metadata.', modelMetadataSchema),
      ...v2Errors(FAULTS.version),
    },
  },
  {
    ...PROTOCOL,
    method: 'get' as const,
    path: `${path}/ready`,
    operationId: `modelReady${suffix}`,
    summary: 'Whether a live worker has the model loaded',
    description: 'A known model that is not ready still accepts predictions: they wait.',
    request: { params },
    responses: {
      '200': jsonResponse('Ready.', modelReadySchema),
      ...v2Errors(FAULTS.version),
      '503': jsonResponse(
        'Not ready.',
        z.union([modelReadySchema, z.object({ error: z.string() })]),
      ),
    },
  },
  {
    ...PROTOCOL,
    method: 'post' as const,
    path: `${path}/infer`,
    operationId: `infer${suffix}`,
    summary: 'Make a prediction and wait for its outputs',
    description:
      'Parameters: `priority` (1 high, 2 normal, from 3 on low) and `timeout` (microseconds that it may wait in the queue). With the header `Inference-Header-Content-Length` the body is that many bytes of this JSON and then the elements of the inputs that have a `binary_data_size`; with 0, nothing but the elements of the only input. An output with the parameter `binary_data`, or all with `binary_data_output`, come back in the same way; `classification: n` asks for the n best classes of an output.',
    request: {
      params,
      headers: z.object({
        'Inference-Header-Content-Length': z
          .string()
          .optional()
          .meta({ description: 'Bytes of JSON in front of the binary elements.' }),
      }),
      body: binaryContent(jsonBody(inferRequestSchema, INFER_EXAMPLES)),
    },
    responses: {
      '200': binaryContent(jsonResponse('The outputs.', inferResponseSchema)),
      ...v2Errors(FAULTS.infer),
    },
  },
]);

/** The paths of `/v2`. */
export function registerV2Paths(registry: OpenAPIRegistry): void {
  for (const route of [...SERVER_ROUTES, ...MODEL_ROUTES, ...STATISTICS_ROUTES]) {
    registry.registerPath(route);
  }
}
