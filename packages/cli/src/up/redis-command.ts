import { connect, type Socket } from 'node:net';
import { type RedisUrl, socketOf } from './redis-address.ts';

const TIMEOUT_MS = 1000;

/**
 * Sends one command without arguments that need quoting and reads one simple or bulk reply: all that
 * watching over a Redis needs, so no client library is loaded for it.
 * @returns undefined if nobody answers within a second
 */
export function askRedis(url: RedisUrl, command: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = open(url);
    let received = '';
    const settle = (reply: string | undefined): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(reply);
    };
    const timer = setTimeout(() => settle(undefined), TIMEOUT_MS);
    socket.setEncoding('utf8');
    socket.on('connect', () => socket.write(`${command}\r\n`));
    socket.on('data', (text: string) => {
      received += text;
      const reply = wholeReply(received);
      if (reply !== undefined) settle(reply);
    });
    socket.on('error', () => settle(undefined));
    socket.on('close', () => settle(undefined));
  });
}

function open(url: RedisUrl): Socket {
  const path = socketOf(url);
  return path === undefined ? connect(Number(new URL(url).port), '127.0.0.1') : connect(path);
}

/** The reply without its envelope, once all of it is there. */
function wholeReply(received: string): string | undefined {
  const end = received.indexOf('\r\n');
  if (end === -1) return undefined;
  if (!received.startsWith('$')) return received.slice(0, end);
  const body = received.slice(end + 2);
  const bytes = Number(received.slice(1, end));
  return Buffer.byteLength(body) >= bytes + 2 ? body.slice(0, -2) : undefined;
}

/** Whether it takes commands; one that is still reading its file does not yet. */
export async function isReady(url: RedisUrl): Promise<boolean> {
  return (await askRedis(url, 'PING')) === '+PONG';
}

/** The pid of the server that answers there, also while it is still reading its file. */
export async function serverPid(url: RedisUrl): Promise<number | undefined> {
  const info = await askRedis(url, 'INFO server');
  const pid = /^process_id:(\d+)/m.exec(info ?? '')?.[1];
  return pid === undefined ? undefined : Number(pid);
}
