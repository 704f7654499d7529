import { connect } from 'node:net';

/** A request that no client library tidies up first. */
export async function rawRequest(
  port: number,
  line: string,
  body = '',
): Promise<{ status: number; body: unknown }> {
  const text = await rawText(
    port,
    `${line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n` +
      `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1]);
  return { status, body: JSON.parse(text.slice(text.indexOf('\r\n\r\n'))) };
}

/** Sends bytes and resolves to all that comes back until the server hangs up. */
export function rawText(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    let text = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.on('end', () => resolve(text));
    socket.on('error', reject);
  });
}
