import type { OpenAPIRegistry, RouteConfig } from '@asteasolutions/zod-to-openapi';
import {
  createPredictionAnywhereSchema,
  createPredictionSchema,
  PREDICTION_ID_PATTERN,
  predictionListSchema,
  predictionSchema,
} from '@quern/contract';
import { z } from 'zod';
import { getModelQuerySchema } from './model-query.ts';
import { modelListSchema, modelSchema } from './model-to-wire.ts';
import {
  ADMINISTRATORS,
  FAULTS,
  jsonBody,
  jsonResponse,
  type Responses,
  v1Errors,
} from './openapi-responses.ts';
import { getPredictionQuerySchema, listPredictionsQuerySchema } from './prediction-query.ts';
import { profileResetSchema } from './profile-to-wire.ts';

const idParameter = z.object({ id: z.string().meta({ description: 'Id of the prediction.' }) });
const chosenIdParameter = z.object({
  id: z.string().regex(PREDICTION_ID_PATTERN).meta({ description: 'Chosen by the client.' }),
});
const modelParameter = z.object({ model: z.string().meta({ description: 'Name of the model.' }) });
const versionParameters = modelParameter.extend({
  version: z.string().meta({ description: 'Version of the model, such as 1.' }),
});

const putHeaders = z.object({
  'Cancel-After': z
    .string()
    .optional()
    .meta({
      description:
        'As `timeout_ms`, of which the shorter one counts: seconds, or hours, minutes and seconds by their letters; at most a week.',
      examples: ['90', '5m', '1h30m'],
    }),
  Prefer: z
    .string()
    .optional()
    .meta({
      description:
        '`wait` or `wait=SECONDS` (at most 60): answer with 200 once the prediction has ended in that time.',
      examples: ['wait=10'],
    }),
});
const createHeaders = putHeaders.extend({
  'Idempotency-Key': z.string().min(1).max(255).optional().meta({
    description:
      'The same key with the same body stands for the same prediction, as with `id`; it counts for the API key that sends it.',
  }),
});

const EXAMPLES = {
  'nested arrays': {
    input: {
      image: [
        [
          [0, 0.5],
          [1, 0],
        ],
      ],
    },
  },
  'flat data': { input: { image: { shape: [1, 2, 2], datatype: 'FP32', data: [0, 0.5, 1, 0] } } },
};
const ANYWHERE_EXAMPLES = {
  'a model': { model: 'digits', ...EXAMPLES['nested arrays'] },
  'a version of a model': { version: 'digits:2', ...EXAMPLES['nested arrays'] },
};

const PREDICTION_HEADERS = {
  Location: { description: 'Where the prediction is.', schema: { type: 'string' as const } },
  'Preference-Applied': {
    description: 'The wait that was granted, such as `wait=10`.',
    schema: { type: 'string' as const },
  },
};

const createResponses: Responses = {
  '200': {
    ...jsonResponse(
      'It has ended within the wait, or the id or key was known: the prediction it stands for.',
      predictionSchema,
    ),
    headers: PREDICTION_HEADERS,
  },
  '202': {
    ...jsonResponse('Accepted: it is in the queue, durably.', predictionSchema),
    headers: PREDICTION_HEADERS,
  },
  ...v1Errors(FAULTS.create),
};

/** One event of the stream. Before OpenAPI 3.2 the schema of `text/event-stream` is that of each event. */
const predictionEventSchema = z
  .object({
    id: z.string().meta({
      description: "The prediction's place on its way, which only grows: for `Last-Event-ID`.",
      pattern: '^[0-9]+$',
      examples: ['3'],
    }),
    data: z.string().meta({
      description: 'The prediction, as JSON.',
      contentMediaType: 'application/json',
      contentSchema: { $ref: '#/components/schemas/Prediction' },
    }),
  })
  .meta({ id: 'PredictionEvent' });

const PREDICTIONS = { tags: ['Predictions'] };
const MODELS = { tags: ['Models'] };

const ROUTES: readonly RouteConfig[] = [
  {
    ...PREDICTIONS,
    method: 'post',
    path: '/v1/models/{model}/predictions',
    operationId: 'createPrediction',
    summary: "Make a prediction with a model's default version",
    request: {
      params: modelParameter,
      headers: createHeaders,
      body: jsonBody(createPredictionSchema, EXAMPLES),
    },
    responses: createResponses,
  },
  {
    ...PREDICTIONS,
    method: 'post',
    path: '/v1/models/{model}/versions/{version}/predictions',
    operationId: 'createVersionPrediction',
    summary: 'Make a prediction with one version of a model',
    request: {
      params: versionParameters,
      headers: createHeaders,
      body: jsonBody(createPredictionSchema, EXAMPLES),
    },
    responses: createResponses,
  },
  {
    ...PREDICTIONS,
    method: 'post',
    path: '/v1/predictions',
    operationId: 'createPredictionAnywhere',
    summary: 'Make a prediction with the model that the body names',
    request: {
      headers: createHeaders,
      body: jsonBody(createPredictionAnywhereSchema, ANYWHERE_EXAMPLES),
    },
    responses: createResponses,
  },
  {
    ...PREDICTIONS,
    method: 'put',
    path: '/v1/predictions/{id}',
    operationId: 'putPrediction',
    summary: 'Make a prediction under an id of your own; repeating it is harmless',
    request: {
      params: chosenIdParameter,
      headers: putHeaders,
      body: jsonBody(createPredictionAnywhereSchema, ANYWHERE_EXAMPLES),
    },
    responses: createResponses,
  },
  {
    ...PREDICTIONS,
    method: 'get',
    path: '/v1/predictions/{id}',
    operationId: 'getPrediction',
    summary: 'Read a prediction, or wait for its end',
    request: { params: idParameter, query: getPredictionQuerySchema },
    responses: {
      '200': jsonResponse('The prediction as it stands.', predictionSchema),
      ...v1Errors(FAULTS.prediction),
    },
  },
  {
    ...PREDICTIONS,
    method: 'get',
    path: '/v1/predictions',
    operationId: 'listPredictions',
    summary: 'List predictions, newest first',
    description: 'Large outputs are left out (null): read them one by one.',
    request: { query: listPredictionsQuerySchema },
    responses: {
      '200': jsonResponse(
        'A page; `next` is the cursor of the following one. Filtered pages may be short.',
        predictionListSchema,
      ),
      ...v1Errors(FAULTS.model),
    },
  },
  {
    ...PREDICTIONS,
    method: 'post',
    path: '/v1/predictions/{id}/cancel',
    operationId: 'cancelPrediction',
    summary: 'Cancel a prediction',
    description:
      'One that waits ends at once, of one that runs the result is discarded, one that has ended stays as it is.',
    request: { params: idParameter },
    responses: {
      '200': jsonResponse('The prediction as it stands then.', predictionSchema),
      ...v1Errors(FAULTS.prediction),
    },
  },
  {
    ...PREDICTIONS,
    method: 'get',
    path: '/v1/predictions/{id}/events',
    operationId: 'followPrediction',
    summary: 'Follow a prediction as server-sent events',
    description:
      'One event for each change of status until the end; the data of each is the prediction. A client that comes back with the id of the last event goes on from there.',
    request: {
      params: idParameter,
      headers: z.object({
        'Last-Event-ID': z
          .string()
          .optional()
          .meta({ description: 'Only what came after this event.' }),
      }),
    },
    responses: {
      '200': {
        description: 'The events.',
        content: { 'text/event-stream': { schema: predictionEventSchema } },
      },
      '204': { description: 'It has ended, and the client knows.' },
      ...v1Errors(FAULTS.prediction),
    },
  },
  {
    ...MODELS,
    method: 'get',
    path: '/v1/models',
    operationId: 'listModels',
    summary: 'List the known models',
    responses: {
      '200': jsonResponse('All models, by name.', modelListSchema),
      ...v1Errors(FAULTS.redis),
    },
  },
  {
    ...MODELS,
    method: 'get',
    path: '/v1/models/{model}',
    operationId: 'getModel',
    summary: 'Read what a model takes and gives, and how it does',
    request: { params: modelParameter, query: getModelQuerySchema },
    responses: {
      '200': jsonResponse('The model.', modelSchema),
      ...v1Errors(FAULTS.model),
    },
  },
  {
    ...MODELS,
    ...ADMINISTRATORS,
    method: 'delete',
    path: '/v1/models/{model}/profile',
    operationId: 'resetModelProfile',
    summary: 'Forget the learnt run times of a model',
    description: 'Here and in every worker: they learn the best batch sizes anew.',
    request: { params: modelParameter },
    responses: {
      '200': jsonResponse('What was forgotten.', profileResetSchema),
      ...v1Errors([...FAULTS.model, ...FAULTS.administration]),
    },
  },
  {
    ...MODELS,
    ...ADMINISTRATORS,
    method: 'delete',
    path: '/v1/models/{model}/versions/{version}/profile',
    operationId: 'resetVersionProfile',
    summary: 'Forget the learnt run times of one version of a model',
    request: { params: versionParameters },
    responses: {
      '200': jsonResponse('What was forgotten.', profileResetSchema),
      ...v1Errors([...FAULTS.model, ...FAULTS.administration, 'VERSION_NOT_FOUND']),
    },
  },
];

/** The paths of `/v1`. */
export function registerV1Paths(registry: OpenAPIRegistry): void {
  for (const route of ROUTES) registry.registerPath(route);
}
