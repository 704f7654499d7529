import { request } from 'node:http';
import { connect } from 'node:net';

export interface RawAnswer {
  readonly status: number;
  readonly text: string;
}

export interface RawRequest {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

/** Sends a request whose path is left as it is: `fetch` would tidy up `..` and escapes. */
export function rawRequest(
  base: string,
  path: string,
  { method = 'POST', headers = {}, body }: RawRequest,
): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(base);
    const outgoing = request({ hostname, port, path, method, headers, agent: false });
    outgoing.once('error', reject);
    outgoing.once('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.once('end', () => resolve({ status: response.statusCode ?? 0, text }));
      response.once('error', reject);
    });
    outgoing.end(body);
  });
}

/** What a server says until it hangs up, to a client that says `opening` and then a byte now and then. */
export function dripRequest(
  base: string,
  opening: string,
  drip: string,
  intervalMs: number,
): Promise<string> {
  return new Promise((resolve) => {
    const { hostname, port } = new URL(base);
    const socket = connect(Number(port), hostname);
    let heard = '';
    socket.write(opening);
    const timer = setInterval(() => socket.write(drip), intervalMs);
    socket.setEncoding('utf8').on('data', (text: string) => {
      heard += text;
    });
    // Who writes to a connection that was cut off gets an error.
    socket.on('error', () => {});
    socket.once('close', () => {
      clearInterval(timer);
      resolve(heard);
    });
  });
}
