import type { ChildProcess } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { QuernError } from '@quern/contract';
import { isRunning, markProcess, type ProcessMark } from './process-mark.ts';
import { loopbackUrl, type RedisUrl, socketOf, socketUrl } from './redis-address.ts';
import { isReady, serverPid } from './redis-command.ts';
import { launchRedis } from './redis-launch.ts';
import { readRedisRecord, removeRedisRecord, writeRedisRecord } from './redis-record.ts';
import { until } from './until.ts';

export interface EmbeddedRedisOptions {
  /** The data folder, absolute; the caller holds its lock. */
  readonly dataDir: string;
  /** Path of redis-server; looked for on the PATH by default. */
  readonly binary?: string | undefined;
  /** How long it may take to read its file. Default 2 minutes. */
  readonly readyTimeoutMs?: number;
  /** Where sockets are made. Default: the system's temporary folder. */
  readonly tmpDir?: string;
}

const READY_TIMEOUT_MS = 120_000;
const STOP_TIMEOUT_MS = 15_000;
const WATCH_INTERVAL_MS = 500;

/**
 * A private Redis over a data folder: on a unix socket where that can be, else on a free port of
 * loopback. It outlives an owner that was killed; the next owner finds it and takes it over.
 */
export class EmbeddedRedis {
  readonly url: RedisUrl;
  /** True if it was left behind by an earlier owner. */
  readonly isAdopted: boolean;
  /** Resolves when it has ended, whoever ended it. */
  readonly ended: Promise<void>;
  readonly #process: ProcessMark;
  readonly #dataDir: string;
  #stopping: Promise<void> | undefined;

  private constructor(
    place: { url: RedisUrl; dataDir: string },
    server: { process: ProcessMark; ended: Promise<void>; isAdopted: boolean },
  ) {
    this.url = place.url;
    this.#dataDir = place.dataDir;
    this.#process = server.process;
    this.ended = server.ended;
    this.isAdopted = server.isAdopted;
  }

  /**
   * Takes over the server that runs in the folder already, else starts one.
   * @throws QuernError `REDIS_UNAVAILABLE`: no binary, it ended, or it was not ready in time
   */
  static async start(options: EmbeddedRedisOptions): Promise<EmbeddedRedis> {
    const dataDir = join(options.dataDir, 'redis');
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    const timeoutMs = options.readyTimeoutMs ?? READY_TIMEOUT_MS;
    const orphan = await findOrphan(dataDir, options);
    if (orphan === undefined) return EmbeddedRedis.#startNew(dataDir, options, timeoutMs);
    const { url, process: mark } = orphan;
    const isUp = await until(
      async () => ((await isReady(url)) || !isRunning(mark) ? true : undefined),
      timeoutMs,
    );
    if (isUp === undefined) throw unresponsive(mark.pid, url);
    if (!isRunning(mark)) return EmbeddedRedis.#startNew(dataDir, options, timeoutMs);
    writeRedisRecord(dataDir, { url, process: mark });
    return new EmbeddedRedis(
      { url, dataDir },
      { process: mark, ended: watchForEnd(mark), isAdopted: true },
    );
  }

  static async #startNew(
    dataDir: string,
    { dataDir: folder, binary, tmpDir = tmpdir() }: EmbeddedRedisOptions,
    readyTimeoutMs: number,
  ): Promise<EmbeddedRedis> {
    const launchAt = async (url: RedisUrl): Promise<EmbeddedRedis> => {
      const child = await launchRedis({ dataDir, url, binary, readyTimeoutMs });
      return EmbeddedRedis.#over(child, { url, dataDir });
    };
    const socket = socketUrl(folder, tmpDir);
    if (socket === undefined) return launchAt(await loopbackUrl(lastPort(dataDir)));
    try {
      return await launchAt(socket);
    } catch (error) {
      // A file system without sockets.
      if (!(error instanceof QuernError) || !/unix socket/i.test(error.message)) throw error;
      return launchAt(await loopbackUrl(lastPort(dataDir)));
    }
  }

  static #over(child: ChildProcess, place: { url: RedisUrl; dataDir: string }): EmbeddedRedis {
    const ended = new Promise<void>((resolve) => {
      child.once('exit', () => resolve());
      if (child.exitCode !== null || child.signalCode !== null) resolve();
    });
    const { pid = 0 } = child;
    const mark = markProcess(pid) ?? { pid, startedAt: 'gone' };
    writeRedisRecord(place.dataDir, { url: place.url, process: mark });
    return new EmbeddedRedis(place, { process: mark, ended, isAdopted: false });
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** Ends it in order: it writes its file first. A second call waits for the first. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  /** Ends it at once; what it has acknowledged is in its file. */
  kill(): void {
    this.#signal('SIGKILL');
  }

  async #stop(): Promise<void> {
    this.#signal('SIGTERM');
    const deadline = setTimeout(() => this.kill(), STOP_TIMEOUT_MS);
    await this.ended;
    clearTimeout(deadline);
    removeRedisRecord(this.#dataDir);
    const socket = socketOf(this.url);
    if (socket !== undefined) await rm(dirname(socket), { recursive: true, force: true });
  }

  #signal(signal: NodeJS.Signals): void {
    if (isRunning(this.#process)) process.kill(this.#process.pid, signal);
  }
}

/** Services that are connected already keep their address when a server comes back. */
function lastPort(dataDir: string): number {
  const url = readRedisRecord(dataDir)?.url;
  return url?.startsWith('redis://') === true ? Number(new URL(url).port) : 0;
}

/** The server of an owner that was killed: the one it wrote down, or the one at the folder's socket. */
async function findOrphan(
  dataDir: string,
  options: EmbeddedRedisOptions,
): Promise<{ url: RedisUrl; process: ProcessMark } | undefined> {
  const record = readRedisRecord(dataDir);
  if (record !== undefined && isRunning(record.process)) return record;
  const url = socketUrl(options.dataDir, options.tmpDir ?? tmpdir());
  const pid = url === undefined ? undefined : await serverPid(url);
  const mark = pid === undefined ? undefined : markProcess(pid);
  return url === undefined || mark === undefined ? undefined : { url, process: mark };
}

/** It is no child of this process, so nobody tells when it ends. */
function watchForEnd(mark: ProcessMark): Promise<void> {
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      if (isRunning(mark)) return;
      clearInterval(timer);
      resolve();
    }, WATCH_INTERVAL_MS);
    // Whoever stops it waits for the end by the promise, and has other reasons to stay.
    timer.unref();
  });
}

function unresponsive(pid: number, url: RedisUrl): QuernError {
  return new QuernError(
    'REDIS_UNAVAILABLE',
    `The redis-server of an earlier run (pid ${pid}) does not answer at ${url}. End it with: kill ${pid}`,
  );
}
