import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { eventually } from '@quern/testkit';

/** A request that a receiver got. */
export interface Received {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export type Answer = (
  request: Received,
  response: ServerResponse,
  count: number,
) => void | Promise<void>;

/** A real receiver of webhooks on the loopback; what it gets it keeps, and answers as it is told. */
export class Receiver {
  readonly received: Received[] = [];
  readonly port: number;
  readonly close: () => Promise<void>;

  private constructor(port: number, close: () => Promise<void>, received: Received[]) {
    this.port = port;
    this.close = close;
    this.received = received;
  }

  static async start(answer: Answer = ok): Promise<Receiver> {
    const received: Received[] = [];
    const server = createServer(async (request, response) => {
      const got = await read(request);
      received.push(got);
      await answer(got, response, received.length);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const close = (): Promise<void> =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    return new Receiver((server.address() as AddressInfo).port, close, received);
  }

  get host(): string {
    return `127.0.0.1:${this.port}`;
  }

  url(path = '/hook'): string {
    return `http://127.0.0.1:${this.port}${path}`;
  }

  /** The request of this number, from 1, once it is there. */
  request(count: number): Promise<Received> {
    return eventually(() => {
      const request = this.received[count - 1];
      if (request !== undefined) return request;
      throw new Error(`got ${this.received.length} requests, expected ${count}`);
    });
  }

  /** The bodies that came, as JSON. */
  get bodies(): Record<string, unknown>[] {
    return this.received.map(({ body }) => JSON.parse(body) as Record<string, unknown>);
  }
}

/** Answers 204. */
export const ok: Answer = (_request, response) => {
  response.writeHead(204).end();
};

/** Answers with a status. */
export function status(code: number, headers: Readonly<Record<string, string>> = {}): Answer {
  return (_request, response) => {
    response.writeHead(code, headers).end();
  };
}

async function read(request: IncomingMessage): Promise<Received> {
  const headers = Object.entries(request.headers).map(([name, value]) => [name, String(value)]);
  return {
    path: request.url ?? '/',
    headers: Object.fromEntries(headers) as Record<string, string>,
    body: await text(request),
  };
}
