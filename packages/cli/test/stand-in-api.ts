import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseJson, stringifyJson, type WirePrediction } from '@quern/contract';

export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: unknown;
}

/** An answer; undefined leaves the caller waiting until it hangs up. */
export type Answer =
  | { status: number; body: unknown; headers?: Record<string, string> }
  | undefined;

/** A server that speaks the contract as a test scripts it, and remembers what it was asked. */
export class StandInApi {
  readonly url: string;
  readonly requests: SeenRequest[] = [];
  readonly #close: () => Promise<void>;

  private constructor(url: string, close: () => Promise<void>) {
    this.url = url;
    this.#close = close;
  }

  static async start(answer: (request: SeenRequest) => Answer): Promise<StandInApi> {
    const server = createServer((request, response) => {
      void read(request).then((seen) => {
        api.requests.push(seen);
        send(response, answer(seen));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const api = new StandInApi(
      `http://127.0.0.1:${port}`,
      () =>
        new Promise((resolve) => {
          server.close(() => resolve());
          server.closeAllConnections();
        }),
    );
    return api;
  }

  /** The requests in one line each: `POST /v1/...`. */
  get calls(): string[] {
    return this.requests.map(({ method, url }) => `${method} ${url}`);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#close();
  }
}

async function read(request: IncomingMessage): Promise<SeenRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(Buffer.from(chunk));
  const text = Buffer.concat(chunks).toString('utf8');
  const { method = '', url = '', headers } = request;
  return { method, url, headers, body: text === '' ? undefined : parseJson(text) };
}

function send(response: ServerResponse, answer: Answer): void {
  if (answer === undefined) return;
  response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers });
  response.end(stringifyJson(answer.body, true));
}

/** A prediction as the API writes it. */
export function wirePrediction(fields: Partial<WirePrediction> = {}): WirePrediction {
  const id = fields.id ?? 'digits.1';
  return {
    id,
    model: 'digits',
    version: '1',
    status: 'starting',
    output: null,
    error: null,
    metrics: { attempts: 0 },
    created_at: '2026-11-23T12:00:00.000Z',
    started_at: null,
    completed_at: null,
    expires_at: null,
    data_removed: false,
    urls: {
      get: `/v1/predictions/${id}`,
      cancel: `/v1/predictions/${id}/cancel`,
      events: `/v1/predictions/${id}/events`,
    },
    ...fields,
  };
}

/** A model as the API writes it. */
export function wireModel(fields: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    name: 'digits',
    description: 'Recognises digits',
    state: 'ready',
    versions: [
      {
        version: '1',
        state: 'ready',
        inputs: [{ name: 'image', datatype: 'FP32', shape: [-1, 1, 8, 8] }],
        outputs: [{ name: 'probabilities', datatype: 'FP32', shape: [-1, 3] }],
        max_rows: 64,
        labels: ['zero', 'one', 'two'],
        execution_providers: ['cpu'],
        instances: 1,
      },
    ],
    live_workers: 1,
    batching: { mode: 'auto', max_batch_size: 64, max_queue_delay_ms: 0 },
    queue: {
      waiting: 3,
      active: 1,
      oldest_waiting_ms: 1500,
      max_size: 10000,
      timeout_ms: null,
      attempts: 3,
    },
    stats: {
      predictions_per_second: 12.3,
      rows_per_second: 24.6,
      batches: 9,
      rows: 72,
      failed: 0,
      mean_batch_rows: 7.96,
      mean_inference_ms: 1.2,
      mean_queue_ms: 3,
    },
    ...fields,
  };
}

/** The scripted answers of one prediction: what creating, each read and the model's page say. */
export function scripted(script: {
  create: Answer;
  reads?: Answer[];
  cancel?: Answer;
  model?: Answer;
}): (request: SeenRequest) => Answer {
  const reads = [...(script.reads ?? [])];
  return ({ method, url }) => {
    if (method === 'POST' && url.endsWith('/cancel')) return script.cancel;
    if (method === 'POST') return script.create;
    if (url.startsWith('/v1/predictions/')) return reads.length > 1 ? reads.shift() : reads[0];
    return script.model ?? { status: 200, body: wireModel() };
  };
}
