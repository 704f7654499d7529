import { badAnswer, ConnectionError } from './errors.ts';
import { serverEvents } from './event-stream.ts';
import { readJson } from './exact-json.ts';
import type { HttpTransport } from './http-transport.ts';
import { isTerminal, type Prediction, predictionFromWire } from './prediction.ts';
import { RetryCount } from './retry-policy.ts';
import { pause } from './time-limit.ts';

/** The API says every 15 seconds that it is still there. */
const SILENCE_MS = 45_000;
/** A stream that the API's process ends because it stops goes on with another one. */
const RECONNECT_MS = 200;

export interface StreamOptions {
  readonly transport: HttpTransport;
  /** Path of the prediction's events. */
  readonly path: string;
  readonly signal: AbortSignal | undefined;
  /** Attempts in a row without an event, after the first. */
  readonly retries: number;
}

/** Says that what answers at the path sends no events: a proxy may be in between that cannot. */
export class NoEventsError extends Error {}

/**
 * A prediction's states as the API tells them, up to the final one: over one server-sent stream, and
 * another from where it broke off (`Last-Event-ID`), with pauses as for any retry.
 * @throws NoEventsError before the first state, if there is no such stream
 */
export async function* predictionStates(options: StreamOptions): AsyncGenerator<Prediction, void> {
  const { signal, retries } = options;
  const rules = { retries, isRepeatable: true, isPatient: false };
  let count = new RetryCount(rules);
  let lastEventId: string | undefined;
  for (;;) {
    try {
      for await (const { id, data } of oneStream(options, lastEventId)) {
        lastEventId = id;
        count = new RetryCount(rules);
        const prediction = stateFrom(data);
        yield prediction;
        if (isTerminal(prediction.status)) return;
      }
      await pause(RECONNECT_MS, signal);
    } catch (error) {
      if (signal?.aborted === true) throw signal.reason;
      const pauseMs = count.pauseAfter(error);
      if (pauseMs === undefined) throw error;
      await pause(pauseMs, signal);
    }
  }
}

async function* oneStream({ transport, path, signal }: StreamOptions, lastEventId?: string) {
  const headers = {
    accept: 'text/event-stream',
    ...(lastEventId !== undefined && { 'last-event-id': lastEventId }),
  };
  const opened = await transport.open({ path, headers, signal, silenceMs: SILENCE_MS });
  try {
    const type = opened.contentType;
    if (!/^text\/event-stream\b/i.test(type)) {
      if (lastEventId === undefined) throw new NoEventsError(`got ${type || 'nothing'}`);
      throw new ConnectionError(
        'UNREACHABLE',
        `${path}: got ${type || 'nothing'}, expected events`,
      );
    }
    yield* serverEvents(opened.chunks());
  } finally {
    opened.close();
  }
}

function stateFrom(data: string): Prediction {
  let wire: unknown;
  try {
    wire = readJson(data);
  } catch {
    throw badAnswer('event', 'expected JSON');
  }
  return predictionFromWire(wire);
}
