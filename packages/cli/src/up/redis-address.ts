import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';

/** Where a private Redis listens, as QUERN_REDIS_URL writes it. */
export type RedisUrl = `unix://${string}` | `redis://127.0.0.1:${number}`;

/** The shortest limit for a socket's path among the systems that we know (macOS; Linux has 108). */
const MAX_SOCKET_PATH_BYTES = 103;
const OTHERS_PERMISSIONS = 0o077;

/**
 * The socket for a data folder: below the system's temporary folder, for paths of sockets must be
 * short, in a folder that only this user can enter.
 * @returns undefined where such a socket cannot be: on Windows, below a very long path, or where
 *   another user has taken the folder's name
 */
export function socketUrl(dataDir: string, tmpDir: string): RedisUrl | undefined {
  if (process.platform === 'win32') return undefined;
  const name = createHash('sha256').update(dataDir).digest('hex').slice(0, 16);
  const folder = join(tmpDir, `quern-${name}`);
  const socket = join(folder, 'redis.sock');
  if (Buffer.byteLength(socket) > MAX_SOCKET_PATH_BYTES) return undefined;
  return makePrivate(folder) ? `unix://${socket}` : undefined;
}

/** The path of the socket, if the address is one. */
export function socketOf(url: RedisUrl): string | undefined {
  return url.startsWith('unix://') ? url.slice('unix://'.length) : undefined;
}

function makePrivate(folder: string): boolean {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    // Not stat: a link that somebody else has put there leads anywhere.
    const found = lstatSync(folder);
    const isOurs = found.uid === process.getuid?.();
    return found.isDirectory() && isOurs && (found.mode & OTHERS_PERMISSIONS) === 0;
  } catch {
    return false;
  }
}

/** An address on loopback: the wanted port if it is free, else any that is. */
export async function loopbackUrl(wantedPort: number): Promise<RedisUrl> {
  const port = await tryPort(wantedPort).catch(() => tryPort(0));
  return `redis://127.0.0.1:${port}`;
}

function tryPort(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => {
        if (typeof address === 'object' && address !== null) resolve(address.port);
        else reject(new Error('the socket has no port'));
      });
    });
  });
}
