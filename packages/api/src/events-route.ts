import { isTerminal, type Prediction, predictionToWire, stringifyJson } from '@quern/contract';
import type { PredictionQueue } from '@quern/queue';
import type { Request, Response } from 'express';
import { knownForm, predictionNotFound } from './prediction-ids.ts';
import { baseUrlOf } from './public-url.ts';
import { invalidRequest } from './request-schema.ts';
import type { RouteDeps } from './route-deps.ts';
import { type Handler, pathParameter } from './routes.ts';
import { waitSignal } from './wait-signal.ts';

/** Nothing announces that a prediction has started: a follower looks this often, at first. */
const FIRST_LOOK_MS = 100;
/** The pauses grow up to this; the end is announced and comes at once. */
const SLOWEST_LOOK_MS = 1000;
/** A silent connection would be cut by proxies. */
const KEEP_ALIVE_MS = 15_000;

/**
 * `GET /v1/predictions/{id}/events`: server-sent events, one for each change of status, whose data is
 * the prediction; the last one is the end. Ids tell where a prediction is on its way, so a client that
 * comes back with `Last-Event-ID`, to whichever process, misses nothing and hears nothing twice.
 * Source: HTML standard, section 9.2 (also that 204 tells a client to not come back)
 */
export function predictionEvents(deps: RouteDeps): Handler {
  return async (request, response) => {
    const id = knownForm(pathParameter(request, 'id'));
    const seen = lastEventId(request);
    const prediction = await deps.queue.get(id);
    if (prediction === undefined) throw predictionNotFound(id);
    if (isTerminal(prediction.status) && progressOf(prediction) <= seen) {
      response.status(204).end();
      return;
    }
    const stream = openStream(response);
    const signal = waitSignal(response, deps.stopping);
    try {
      for await (const change of changesOf(deps.queue, prediction, seen, signal)) {
        const { body, holdsBigints } = predictionToWire(change, baseUrlOf(request, deps.publicUrl));
        stream.send(progressOf(change), stringifyJson(body, holdsBigints));
      }
    } finally {
      stream.end();
    }
  };
}

/**
 * A prediction's place on its way, which only grows: before the first attempt it is 0, in attempt n
 * 2n - 1, back in the queue after it 2n, and 2n + 1 when it has ended.
 */
function progressOf({ status, metrics: { attempts } }: Prediction): number {
  if (isTerminal(status)) return 2 * attempts + 1;
  return status === 'processing' ? 2 * attempts - 1 : 2 * attempts;
}

/** The states of a prediction beyond `seen`, as they come; ends with it, or when the signal comes. */
async function* changesOf(
  queue: PredictionQueue,
  first: Prediction,
  seen: number,
  signal: AbortSignal,
): AsyncGenerator<Prediction> {
  let told = seen;
  let lookMs = FIRST_LOOK_MS;
  let prediction: Prediction | undefined = first;
  while (prediction !== undefined && !signal.aborted) {
    const progress = progressOf(prediction);
    if (progress > told) {
      told = progress;
      lookMs = FIRST_LOOK_MS;
      yield prediction;
    }
    if (isTerminal(prediction.status)) return;
    prediction = await queue.wait(prediction.id, { timeoutMs: lookMs, signal });
    lookMs = Math.min(SLOWEST_LOOK_MS, lookMs * 1.5);
  }
}

function lastEventId(request: Request): number {
  const value = request.get('last-event-id');
  if (value === undefined || value === '') return -1;
  if (/^\d{1,9}$/.test(value)) return Number(value);
  const problem = `got ${JSON.stringify(value.slice(0, 40))}, expected the id of an event`;
  throw invalidRequest('Last-Event-ID', problem);
}

interface EventStream {
  readonly send: (id: number, data: string) => void;
  readonly end: () => void;
}

function openStream(response: Response): EventStream {
  response.writeHead(200, {
    'Content-Type': 'text/event-stream; charset=utf-8',
    // Nobody on the way may hold events back to pack them.
    'Cache-Control': 'no-cache, no-transform',
    'X-Accel-Buffering': 'no',
  });
  response.flushHeaders();
  const keepAlive = setInterval(() => response.write(': still here\n\n'), KEEP_ALIVE_MS);
  return {
    // JSON has no line breaks of its own.
    send: (id, data) => void response.write(`id: ${id}\ndata: ${data}\n\n`),
    end: () => {
      clearInterval(keepAlive);
      response.end();
    },
  };
}
