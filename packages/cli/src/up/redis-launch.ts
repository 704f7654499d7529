import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { QuernError } from '@quern/contract';
import { type RedisUrl, socketOf } from './redis-address.ts';
import { isReady, serverPid } from './redis-command.ts';
import { until } from './until.ts';

export interface RedisLaunch {
  /** Where it keeps its append-only file and its log. */
  readonly dataDir: string;
  readonly url: RedisUrl;
  /** The binary; undefined to look for one on the PATH. */
  readonly binary: string | undefined;
  readonly readyTimeoutMs: number;
}

/** Valkey is the same server under another name. */
const BINARIES = ['redis-server', 'valkey-server'];
const LOG_FILE = 'redis.log';
const SHOWN_LOG_LINES = 8;

const HOW_TO_INSTALL = `Install it:
  Debian, Ubuntu   sudo apt-get install redis-server
  Fedora           sudo dnf install redis
  Alpine           sudo apk add redis
  macOS            brew install redis
or set QUERN_REDIS_SERVER to its path, or QUERN_REDIS_URL to a Redis that already runs.`;

/**
 * Starts redis-server and waits until it takes commands. It is detached: a terminal's Ctrl-C must not
 * reach it before those who still write to it.
 * @throws QuernError `REDIS_UNAVAILABLE` if there is no binary, or with the end of its log if it ends
 *   or is not ready in time; nothing is left running then
 */
export async function launchRedis(launch: RedisLaunch): Promise<ChildProcess> {
  const child = await spawnFirst(launch);
  const ended = new Promise<string>((resolve) => {
    child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
  const stopAsking = new AbortController();
  const ready = until(
    async () => ((await answers(child, launch.url)) ? 'ready' : undefined),
    launch.readyTimeoutMs,
    stopAsking.signal,
  );
  const outcome = await Promise.race([ready, ended.then((how) => ({ how }))]);
  stopAsking.abort();
  if (outcome === 'ready') return child;
  if (outcome === undefined) {
    child.kill('SIGKILL');
    await ended;
  }
  const problem =
    outcome === undefined
      ? `was not ready within ${launch.readyTimeoutMs} ms`
      : `ended at its start (${outcome.how})`;
  throw new QuernError('REDIS_UNAVAILABLE', `redis-server ${problem}.${logTail(launch.dataDir)}`);
}

/** Somebody else may have taken the port in between. */
async function answers(child: ChildProcess, url: RedisUrl): Promise<boolean> {
  return (await isReady(url)) && (await serverPid(url)) === child.pid;
}

async function spawnFirst(launch: RedisLaunch): Promise<ChildProcess> {
  const names = launch.binary === undefined ? BINARIES : [launch.binary];
  for (const name of names) {
    const child = await trySpawn(name, launch);
    if (child !== undefined) return child;
  }
  const missing =
    launch.binary === undefined
      ? 'redis-server is not installed.'
      : `QUERN_REDIS_SERVER is ${launch.binary}, which is not a program that can be run.`;
  throw new QuernError('REDIS_UNAVAILABLE', `${missing} ${HOW_TO_INSTALL}`);
}

function trySpawn(binary: string, launch: RedisLaunch): Promise<ChildProcess | undefined> {
  // A file and not a pipe: it must survive this process without a reader.
  const log = openSync(join(launch.dataDir, LOG_FILE), 'w', 0o600);
  const child = spawn(binary, redisArguments(launch), {
    detached: true,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  return new Promise((resolve) => {
    child.once('spawn', () => resolve(child));
    child.once('error', () => resolve(undefined));
  });
}

function redisArguments({ dataDir, url }: RedisLaunch): string[] {
  const socket = socketOf(url);
  const address =
    socket === undefined
      ? ['--bind', '127.0.0.1', '--port', new URL(url).port]
      : ['--port', '0', '--unixsocket', socket, '--unixsocketperm', '700'];
  return [
    ...address,
    ...['--dir', dataDir, '--daemonize', 'no', '--loglevel', 'notice'],
    ...['--appendonly', 'yes', '--appendfsync', 'everysec', '--save', ''],
    ...['--maxmemory-policy', 'noeviction'],
  ];
}

function logTail(dataDir: string): string {
  const file = join(dataDir, LOG_FILE);
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n').slice(-SHOWN_LOG_LINES);
  return ` The end of ${file}:\n  ${lines.join('\n  ')}`;
}
