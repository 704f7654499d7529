import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { freePort } from './free-port.ts';

export interface TestRedisOptions {
  /** `always` makes every acknowledged write survive kill -9 of the server. Default: no file at all. */
  readonly appendfsync?: 'always' | 'everysec';
}

const READY_TIMEOUT_MS = 10_000;
const START_ATTEMPTS = 3;

/** A private Redis on a free port, with a data folder of its own that goes when it stops. */
export class TestRedis {
  readonly url: string;
  readonly port: number;
  readonly #directory: string;
  readonly #options: TestRedisOptions;
  #process: ChildProcess | undefined;
  #client: Redis | undefined;

  private constructor(port: number, directory: string, options: TestRedisOptions) {
    this.port = port;
    this.url = `redis://127.0.0.1:${port}`;
    this.#directory = directory;
    this.#options = options;
  }

  static async start(options: TestRedisOptions = {}): Promise<TestRedis> {
    const directory = await mkdtemp(join(tmpdir(), 'quern-redis-'));
    for (let attempt = 1; ; attempt++) {
      const server = new TestRedis(await freePort(), directory, options);
      try {
        await server.start();
        return server;
      } catch (error) {
        // Another process may have taken the port since it was free.
        if (attempt < START_ATTEMPTS) continue;
        await rm(directory, { recursive: true, force: true });
        throw error;
      }
    }
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Starts the server (again, over the same data) and waits until it answers. */
  async start(): Promise<void> {
    const { appendfsync } = this.#options;
    const persistence =
      appendfsync === undefined
        ? ['--appendonly', 'no']
        : ['--appendonly', 'yes', '--appendfsync', appendfsync];
    const child = spawn(
      process.env['QUERN_REDIS_SERVER'] ?? 'redis-server',
      [
        ...['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.#directory],
        ...['--save', '', '--maxmemory-policy', 'noeviction', '--daemonize', 'no'],
        ...persistence,
      ],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
    this.#process = child;
    // A test run that is cut short takes its servers with it.
    const onExit = (): void => void child.kill('SIGKILL');
    process.once('exit', onExit);
    child.once('close', () => process.off('exit', onExit));
    const client = new Redis(this.url, {
      lazyConnect: true,
      retryStrategy: () => 10,
      maxRetriesPerRequest: null,
      // While it reads its file its guess at the time left can be minutes off.
      maxLoadingRetryTime: 50,
      commandTimeout: READY_TIMEOUT_MS,
    });
    client.on('error', () => {});
    try {
      await Promise.race([untilReady(client, child), untilEnded(child)]);
    } catch (error) {
      await this.kill();
      throw error;
    } finally {
      client.disconnect();
    }
  }

  /** A client to look inside with; it ends with the server. */
  get client(): Redis {
    if (this.#client === undefined) {
      this.#client = new Redis(this.url, { maxRetriesPerRequest: null });
      this.#client.on('error', () => {});
    }
    return this.#client;
  }

  /** Ends the server as a power cut would; its files stay. */
  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  /** Ends the server and removes its data. */
  async stop(): Promise<void> {
    this.#client?.disconnect();
    // Not asked to end: it would refuse while it writes its first append-only file.
    await this.kill();
    await rm(this.#directory, { recursive: true, force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

/** Whoever answers on the port must be the child: another server may have been faster to take it. */
async function untilReady(client: Redis, child: ChildProcess): Promise<void> {
  const info = await client.info('server');
  if (!info.includes(`process_id:${child.pid}\r\n`)) {
    throw new Error(`Another Redis answers at ${client.options.port}`);
  }
}

async function untilEnded(child: ChildProcess): Promise<never> {
  const [code] = await once(child, 'exit');
  throw new Error(`redis-server ended with ${code}; is it installed?`);
}
