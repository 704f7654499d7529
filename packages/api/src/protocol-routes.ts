import { readFileSync } from 'node:fs';
import { ONNX_PLATFORM, type TensorSpec } from '@quern/contract';
import type { PredictionQueue } from '@quern/queue';
import { z } from 'zod';
import { infer } from './infer-route.ts';
import { sendJson } from './json-response.ts';
import { resolveKnown, resolveTarget } from './prediction-door.ts';
import type { RouteDeps } from './route-deps.ts';
import { type Handler, optionalParameter, pathParameter, type Route } from './routes.ts';

export const serverMetadataSchema = z
  .object({ name: z.string(), version: z.string(), extensions: z.array(z.string()) })
  .meta({ id: 'ServerMetadata' });
export const liveSchema = z.object({ live: z.boolean() }).meta({ id: 'Live' });
export const readySchema = z
  .object({ live: z.boolean(), ready: z.boolean() })
  .meta({ id: 'Ready' });
export const modelReadySchema = z
  .object({ name: z.string(), ready: z.boolean() })
  .meta({ id: 'ModelReady' });

/** Of the protocol's extensions, those that are true here. */
const EXTENSIONS = [
  'binary_tensor_data',
  'classification',
  'model_repository',
  'parameters',
  'schedule_policy',
  'statistics',
];

const READY_TIMEOUT_MS = 1000;

const manifestSchema = z.object({ version: z.string() });

/** The version in this package's manifest. */
export const API_VERSION = manifestSchema.parse(
  JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')),
).version;

/** The `/v2` routes: the Open Inference Protocol. */
export function protocolRoutes(deps: RouteDeps): Route[] {
  const { queue } = deps;
  const metadata = modelMetadata(queue);
  const ready = modelReady(queue);
  return [
    {
      path: '/v2',
      get: (_request, response) =>
        sendJson(response, 200, { name: 'quern', version: API_VERSION, extensions: EXTENSIONS }),
    },
    {
      path: '/v2/health/live',
      get: (_request, response) => sendJson(response, 200, { live: true }),
    },
    { path: '/v2/health/ready', get: serverReady(deps) },
    { path: '/v2/models/{model}', get: metadata },
    { path: '/v2/models/{model}/versions/{version}', get: metadata },
    { path: '/v2/models/{model}/ready', get: ready },
    { path: '/v2/models/{model}/versions/{version}/ready', get: ready },
    { path: '/v2/models/{model}/infer', post: infer(deps) },
    { path: '/v2/models/{model}/versions/{version}/infer', post: infer(deps) },
  ];
}

/** Ready means that a prediction would be accepted: Redis answers, and the process is not stopping. */
function serverReady({ queue, stopping }: RouteDeps): Handler {
  return async (_request, response) => {
    const ready = !stopping.aborted && (await answersInTime(queue));
    sendJson(response, ready ? 200 : 503, { live: true, ready });
  };
}

/** A Redis that hangs must not hang the probe. */
function answersInTime(queue: PredictionQueue): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), READY_TIMEOUT_MS);
    const finish = (isReady: boolean): void => {
      clearTimeout(timer);
      resolve(isReady);
    };
    queue.ping().then(
      () => finish(true),
      () => finish(false),
    );
  });
}

function modelMetadata(queue: PredictionQueue): Handler {
  return async (request, response) => {
    const { model, signature } = await resolveTarget(
      queue,
      pathParameter(request, 'model'),
      optionalParameter(request, 'version'),
    );
    sendJson(response, 200, {
      name: model.name,
      versions: model.versions.map(({ version }) => String(version)),
      platform: ONNX_PLATFORM,
      inputs: signature.inputs.map(tensorMetadata),
      outputs: signature.outputs.map(tensorMetadata),
    });
  };
}

function tensorMetadata({ name, datatype, shape }: TensorSpec) {
  return { name, datatype, shape };
}

/** Without a live worker a model takes predictions but is not ready. */
function modelReady(queue: PredictionQueue): Handler {
  return async (request, response) => {
    const name = pathParameter(request, 'model');
    const version = optionalParameter(request, 'version');
    const { versions } = await resolveKnown(queue, name);
    if (version !== undefined && !versions.some((item) => String(item.version) === version)) {
      // Says which versions there are.
      await resolveTarget(queue, name, version);
    }
    const ready = versions.some(
      (item) =>
        item.state === 'ready' && (version === undefined || String(item.version) === version),
    );
    sendJson(response, ready ? 200 : 503, { name, ready });
  };
}
