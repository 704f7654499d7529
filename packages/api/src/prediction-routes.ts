import {
  type CreatePrediction,
  createPredictionAnywhereSchema,
  createPredictionSchema,
  isTerminal,
  type Prediction,
  predictionToWire,
  show,
} from '@quern/contract';
import type { Request, Response } from 'express';
import { cancelAfterMs } from './cancel-after-header.ts';
import { predictionEvents } from './events-route.ts';
import { withdrawIfAbandoned } from './hang-up.ts';
import { sendJson } from './json-response.ts';
import { placeOrder } from './prediction-door.ts';
import { knownForm, predictionNotFound } from './prediction-ids.ts';
import {
  assertReferences,
  idFromIdempotencyKey,
  namedTarget,
  submissionFrom,
} from './prediction-order.ts';
import { getPredictionQuerySchema, listPredictionsQuerySchema } from './prediction-query.ts';
import { preferredWaitSeconds } from './prefer-header.ts';
import { baseUrlOf } from './public-url.ts';
import type { RequestContext } from './request-context.ts';
import { invalidRequest, parseRequest } from './request-schema.ts';
import type { RouteDeps } from './route-deps.ts';
import { optionalParameter, pathParameter, type Route } from './routes.ts';
import { waitSignal } from './wait-signal.ts';
import { webhookFrom } from './webhook-order.ts';

/** One create request: where it goes and what it holds. */
interface Creation {
  readonly model: string;
  readonly version?: string | undefined;
  readonly body: CreatePrediction;
  /** Chosen by the client in path or body. */
  readonly id: string | undefined;
}

/** The `/v1` routes of predictions. */
export function predictionRoutes(deps: RouteDeps): Route[] {
  return [
    { path: '/v1/predictions', get: listPredictions(deps), post: createAnywhere(deps) },
    { path: '/v1/predictions/{id}', get: getPrediction(deps), put: createWithId(deps) },
    { path: '/v1/predictions/{id}/cancel', post: cancelPrediction(deps) },
    { path: '/v1/predictions/{id}/events', get: predictionEvents(deps) },
    { path: '/v1/models/{model}/predictions', post: createForModel(deps) },
    { path: '/v1/models/{model}/versions/{version}/predictions', post: createForModel(deps) },
  ];
}

function createForModel(deps: RouteDeps): NonNullable<Route['post']> {
  return async (request, response, context) => {
    const model = pathParameter(request, 'model');
    context.submission = {};
    if (deps.queue.registry.model(model) !== undefined) context.submission = { model };
    const body = parseRequest(
      createPredictionSchema,
      await deps.bodies.json(request, response),
      'body',
    );
    const version = optionalParameter(request, 'version');
    await create(deps, { request, response, context }, { model, version, body, id: body.id });
  };
}

function createAnywhere(deps: RouteDeps): NonNullable<Route['post']> {
  return async (request, response, context) => {
    context.submission = {};
    const json = await deps.bodies.json(request, response);
    const body = parseRequest(createPredictionAnywhereSchema, json, 'body');
    await create(deps, { request, response, context }, { ...namedTarget(body), body, id: body.id });
  };
}

function createWithId(deps: RouteDeps): NonNullable<Route['put']> {
  return async (request, response, context) => {
    context.submission = {};
    const id = pathParameter(request, 'id');
    const json = await deps.bodies.json(request, response);
    const body = parseRequest(createPredictionAnywhereSchema, json, 'body');
    if (body.id !== undefined && body.id !== id) {
      throw invalidRequest('id', `got ${show(body.id)}, expected ${show(id)} as in the path`);
    }
    await create(deps, { request, response, context }, { ...namedTarget(body), body, id });
  };
}

interface Exchange {
  readonly request: Request;
  readonly response: Response;
  readonly context: RequestContext;
}

async function create(deps: RouteDeps, exchange: Exchange, creation: Creation): Promise<void> {
  const { request, response, context } = exchange;
  const { model, version } = creation;
  const body = withTimeLimit(creation.body, cancelAfterMs(request.get('cancel-after')));
  // An id in the body or path makes the request repeatable already.
  const id = creation.id ?? idFromIdempotencyKey(request.get('idempotency-key'), context.caller);
  const baseUrl = baseUrlOf(request, deps.publicUrl);
  const webhook = webhookFrom(body, deps.egressRules, baseUrl);
  const waitSeconds = preferredWaitSeconds(request.get('prefer'));
  const wait =
    waitSeconds === undefined
      ? undefined
      : { timeoutMs: waitSeconds * 1000, signal: waitSignal(response, deps.stopping) };
  const submitted = await placeOrder(deps, context, {
    model,
    version,
    compose: (target) => {
      const submission = submissionFrom(body, target, id, webhook);
      assertReferences(submission.inputs, deps.egressRules);
      return submission;
    },
    wait,
  });
  const { prediction, created } = submitted;
  if (wait !== undefined && id === undefined) await withdrawIfAbandoned(deps, response, submitted);
  if (waitSeconds !== undefined) response.setHeader('Preference-Applied', `wait=${waitSeconds}`);
  const isAnswered = !created || (wait !== undefined && isTerminal(prediction.status));
  const wire = predictionToWire(prediction, baseUrl);
  response.setHeader('Location', wire.body.urls.get);
  sendJson(response, isAnswered ? 200 : 202, wire.body, wire.holdsBigints);
}

/** Of two limits the shorter one counts. */
function withTimeLimit(body: CreatePrediction, limitMs: number | undefined): CreatePrediction {
  if (limitMs === undefined || (body.timeout_ms ?? Number.POSITIVE_INFINITY) <= limitMs)
    return body;
  return { ...body, timeout_ms: limitMs };
}

function getPrediction(deps: RouteDeps): NonNullable<Route['get']> {
  return async (request, response) => {
    const id = knownForm(pathParameter(request, 'id'));
    const { wait: waitSeconds } = parseRequest(getPredictionQuerySchema, request.query, 'query');
    const prediction =
      waitSeconds === undefined || waitSeconds === 0
        ? await deps.queue.get(id)
        : await deps.queue.wait(id, {
            timeoutMs: waitSeconds * 1000,
            signal: waitSignal(response, deps.stopping),
          });
    sendPrediction(deps, request, response, id, prediction);
  };
}

function cancelPrediction(deps: RouteDeps): NonNullable<Route['post']> {
  return async (request, response) => {
    const id = knownForm(pathParameter(request, 'id'));
    sendPrediction(deps, request, response, id, await deps.queue.cancel(id));
  };
}

function listPredictions(deps: RouteDeps): NonNullable<Route['get']> {
  return async (request, response) => {
    const query = parseRequest(listPredictionsQuerySchema, request.query, 'query');
    const { model, status, cursor, limit } = query;
    const page = await deps.queue.list({
      limit,
      ...(model !== undefined && { model }),
      ...(status !== undefined && { status }),
      ...(cursor !== undefined && { cursor }),
    });
    const baseUrl = baseUrlOf(request, deps.publicUrl);
    const wires = page.predictions.map((prediction) => predictionToWire(prediction, baseUrl));
    const results = wires.map(({ body }) => body);
    const holdsBigints = wires.some((wire) => wire.holdsBigints);
    sendJson(response, 200, { results, next: page.next ?? null }, holdsBigints);
  };
}

function sendPrediction(
  deps: RouteDeps,
  request: Request,
  response: Response,
  id: string,
  prediction: Prediction | undefined,
): void {
  if (prediction === undefined) throw predictionNotFound(id);
  const wire = predictionToWire(prediction, baseUrlOf(request, deps.publicUrl));
  sendJson(response, 200, wire.body, wire.holdsBigints);
}
