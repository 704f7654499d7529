import { createServer } from 'node:net';

/**
 * Below the ports that systems give to outgoing connections: between the look and the use of a port, one of
 * those may be made by anybody.
 */
const FIRST_PORT = 15_000;
const PORTS = 17_000;

/** Where this process goes on: at random, as several processes look at a time. */
let next = Math.floor(Math.random() * PORTS);

/**
 * A TCP port on loopback that was free a moment ago. No process is told the same one twice (until all
 * were told): one that waits for its server must not be given to another.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST_PORT + next;
    next = (next + 1) % PORTS;
    if (await isFree(port)) return port;
  }
}

/** @throws Error if the port cannot be had for another reason than that somebody has it */
function isFree(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(false);
      else reject(error);
    });
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
