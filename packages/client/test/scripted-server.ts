import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
}

/** Answers the nth request (from 0) as a test wants; it need not answer at all. */
export type Script = (request: SeenRequest, response: ServerResponse, index: number) => void;

/** A real server on a free port that does what a test says, and remembers what it was asked. */
export class ScriptedServer {
  readonly url: string;
  readonly requests: SeenRequest[] = [];
  /** Connections that clients closed before they had an answer. */
  hangUps = 0;
  readonly #close: () => Promise<void>;

  private constructor(url: string, close: () => Promise<void>) {
    this.url = url;
    this.#close = close;
  }

  static async start(script: Script): Promise<ScriptedServer> {
    const server = createServer((request, response) => {
      response.on('close', () => {
        if (!response.writableFinished) scripted.hangUps += 1;
      });
      void read(request).then((seen) => {
        const index = scripted.requests.push(seen) - 1;
        script(seen, response, index);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const close = () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    const scripted = new ScriptedServer(`http://127.0.0.1:${port}`, close);
    return scripted;
  }

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
  const { method = '', url = '', headers } = request;
  return { method, url, headers, text: Buffer.concat(chunks).toString('utf8') };
}

/** Sends JSON; a text goes as it is. */
export function answer(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(typeof body === 'string' ? body : JSON.stringify(body));
}

export function refuse(
  response: ServerResponse,
  status: number,
  code: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  answer(response, status, { error: { code, message: `${code} it is` } }, headers);
}

/** A prediction as the API writes it: one that has succeeded unless the fields say otherwise. */
export function wirePrediction(fields: Readonly<Record<string, unknown>> = {}): object {
  const id = 'digits.1';
  return {
    id,
    model: 'digits',
    version: '1',
    status: 'succeeded',
    output: { y: [[1, 2]] },
    error: null,
    metrics: {
      queue_time_ms: 1.5,
      inference_time_ms: 2,
      total_time_ms: 4,
      batch_size: 3,
      attempts: 1,
    },
    created_at: '2026-11-23T18:46:44.851Z',
    started_at: '2026-11-23T18:46:44.857Z',
    completed_at: '2026-11-23T18:46:44.860Z',
    expires_at: null,
    data_removed: false,
    urls: { get: `/v1/predictions/${id}`, cancel: `/v1/predictions/${id}/cancel` },
    ...fields,
  };
}

/** The same with a status that is not final. */
export function unfinished(status: 'starting' | 'processing' = 'starting'): object {
  return wirePrediction({ status, output: null, started_at: null, completed_at: null });
}
