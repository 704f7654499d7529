import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { networkInterfaces, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { eventually, freePort, TestProcess } from '@quern/testkit';
import { type ComposeService, resolveComposeFile } from '../containers/compose-file.ts';
import { inheritedInstructions, readStages } from '../containers/dockerfile.ts';
import { inRepository } from '../repository.ts';

const run = promisify(execFile);

/** Services whose image holds a bundle, with the variable of the port on which each listens inside. */
const PORT_VARIABLES: Readonly<Record<string, string>> = {
  api: 'QUERN_API_PORT',
  worker: 'QUERN_WORKER_PORT',
  webhooks: 'QUERN_WEBHOOKS_PORT',
  dashboard: 'QUERN_DASHBOARD_PORT',
};
const REDIS_ADDRESS = 'redis:6379';

/** One container's worth of a service. */
export interface ComposeProcess {
  readonly service: string;
  readonly process: TestProcess;
  /** Where it listens, unless it is Redis. */
  readonly url: string;
  readonly stopGraceMs: number;
  /** Runs the healthcheck once: the compose file's, else the image's. */
  readonly isHealthy: () => Promise<boolean>;
}

/**
 * docker-compose.yml without a container engine: each service's own command, environment and
 * healthcheck, as local processes over the files that its image holds. What a container network and a
 * mount would do is done to the texts: service names and ports become local ones, and the mounted
 * folder stands for its target. (Not shown this way: users, capabilities and read-only file systems.)
 */
export class ComposeProcesses {
  readonly #env: Readonly<Record<string, string>>;
  readonly #folder: string;
  #redisPort = 0;
  #running: ComposeProcess[] = [];

  private constructor(env: Readonly<Record<string, string>>, folder: string) {
    this.#env = env;
    this.#folder = folder;
  }

  /** Lays out the images' files. */
  static async build(env: Readonly<Record<string, string>>): Promise<ComposeProcesses> {
    const folder = await mkdtemp(join(tmpdir(), 'quern-compose-'));
    const compose = new ComposeProcesses(env, folder);
    await mkdir(compose.imageOf('redis'));
    for (const service of Object.keys(PORT_VARIABLES)) {
      const script = inRepository('scripts/container/bundle.mjs');
      await run(process.execPath, [script, service, compose.imageOf(service)]);
    }
    return compose;
  }

  /** The folder with the files of a service's image; of Redis, its volume. */
  imageOf(service: string): string {
    return join(this.#folder, service);
  }

  /** The running processes of a service. */
  of(service: string): readonly ComposeProcess[] {
    return this.#running.filter((item) => item.service === service);
  }

  /** Starts what has no profile, each once what it depends on is healthy; resolves when all are. */
  async up(): Promise<void> {
    const { services } = resolveComposeFile(this.#env);
    const pending = Object.entries(services).filter(([, { profiles }]) => profiles === undefined);
    this.#redisPort = await freePort();
    while (pending.length > 0) {
      const isUp = (name: string): boolean => this.of(name).length > 0;
      const startable = pending.filter(([, service]) =>
        Object.keys(service.depends_on ?? {}).every(isUp),
      );
      if (startable.length === 0) throw new Error('the services depend on each other in a circle');
      for (const entry of startable) {
        pending.splice(pending.indexOf(entry), 1);
        await this.#start(...entry);
      }
      await this.#untilHealthy();
    }
  }

  async #start(name: string, service: ComposeService): Promise<void> {
    const replicas = Number(service.deploy?.replicas ?? 1);
    for (let i = 0; i < replicas; i++) this.#running.push(await this.#startOne(name, service));
  }

  async #startOne(name: string, service: ComposeService): Promise<ComposeProcess> {
    const port = await localPort(name, service);
    const localize = this.#localizer(name, service, port);
    const [command = '', ...args] = (service.command ?? []).map(localize);
    const environment = Object.entries(service.environment ?? {});
    const env = Object.fromEntries(environment.map(([key, value]) => [key, localize(value)]));
    const place = { cwd: this.imageOf(name), env: { NODE_ENV: 'production', ...env } };
    const isRedis = name === 'redis';
    const process = new TestProcess({
      name,
      command: isRedis ? redisServer() : command,
      args: isRedis ? [...args, ...this.#redisPlace()] : args,
      isolated: true,
      ...place,
    });
    const check = (service.healthcheck?.test ?? imageHealthcheck(service)).map(localize);
    return {
      service: name,
      process,
      url: `http://127.0.0.1:${port}`,
      stopGraceMs: parseSeconds(service.stop_grace_period) * 1000,
      isHealthy: () => passes(check, place),
    };
  }

  /** What a container has by its network and its volume. */
  #redisPlace(): string[] {
    const port = String(this.#redisPort);
    return ['--port', port, '--bind', '127.0.0.1', '--dir', this.imageOf('redis')];
  }

  /** How a text of the compose file reads on this machine. */
  #localizer(name: string, service: ComposeService, port: string): (text: string) => string {
    const inner = innerPort(name, service);
    const mounts = (service.volumes ?? []).filter((volume) => typeof volume !== 'string');
    return (text) => {
      if (text === inner) return port;
      if (text === '0.0.0.0') return openLoopback();
      const mount = mounts.find(({ target }) => target === text);
      if (mount !== undefined) return resolve(inRepository(), mount.source);
      return text
        .replaceAll(REDIS_ADDRESS, `127.0.0.1:${this.#redisPort}`)
        .replaceAll('redis-cli ', `redis-cli -p ${this.#redisPort} `)
        .replaceAll(`127.0.0.1:${inner}/`, `127.0.0.1:${port}/`);
    };
  }

  async #untilHealthy(): Promise<void> {
    await Promise.all(this.#running.map((item) => untilHealthy(item)));
  }

  /** Stops all as `docker compose down` does: Redis after those that depend on it. */
  async down(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const isRedis = ({ service }: ComposeProcess): boolean => service === 'redis';
    const dependents = this.#running.filter((item) => !isRedis(item));
    await Promise.all(dependents.map(({ process }) => process.stop(signal)));
    await Promise.all(this.of('redis').map(({ process }) => process.stop(signal)));
    this.#running = [];
  }

  /** Ends what runs, and removes the images and the volume. */
  async remove(): Promise<void> {
    await this.down('SIGKILL');
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** The last one in the Dockerfile, in the form of a compose file. */
function imageHealthcheck({ build }: ComposeService): string[] {
  const instructions = inheritedInstructions(readStages(), build?.target ?? '');
  const healthcheck = instructions.findLast((line) => line.startsWith('HEALTHCHECK '));
  const command = /\sCMD (\[.*\])$/.exec(healthcheck ?? '')?.[1];
  if (command === undefined) throw new Error(`The image ${build?.target} has no HEALTHCHECK`);
  return ['CMD', ...(JSON.parse(command) as string[])];
}

/** @throws Error with the process's last lines, at once if it has ended */
async function untilHealthy({ process, isHealthy }: ComposeProcess): Promise<void> {
  const state = await eventually(async () => {
    if (process.exit !== undefined) return 'ended';
    return (await isHealthy()) && 'healthy';
  }, 60_000).catch(() => 'is not healthy');
  if (state === 'healthy') return;
  throw new Error(`${process.name} ${state}; its last lines:\n${process.tail()}`);
}

/** The port on which a service listens inside of its container. */
function innerPort(name: string, { environment }: ComposeService): string | undefined {
  const variable = PORT_VARIABLES[name];
  return variable === undefined ? undefined : environment?.[variable];
}

/** The published port, or any where none is. */
async function localPort(name: string, service: ComposeService): Promise<string> {
  const [mapping] = service.ports ?? [];
  if (mapping === undefined) return String(await freePort());
  const [, outer = '', inner] = mapping.split(':');
  if (inner === innerPort(name, service)) return outer;
  throw new Error(`${name} listens on ${innerPort(name, service)}, but ${mapping} is published`);
}

/**
 * Stands for all addresses: reached by way of loopback alone, but the services guard it as one that
 * others can reach.
 */
function openLoopback(): string {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return addresses.some(({ family }) => family === 'IPv6') ? '::ffff:127.0.0.1' : '127.0.0.1';
}

function redisServer(): string {
  return process.env['QUERN_REDIS_SERVER'] ?? 'redis-server';
}

async function passes(
  check: readonly string[],
  place: { cwd: string; env: Readonly<Record<string, string>> },
): Promise<boolean> {
  const [kind, ...words] = check;
  const [command = '', ...args] = kind === 'CMD-SHELL' ? ['sh', '-c', ...words] : words;
  const env = { PATH: process.env['PATH'], ...place.env };
  return run(command, args, { cwd: place.cwd, env, timeout: 20_000 }).then(
    () => true,
    () => false,
  );
}

function parseSeconds(duration = '10s'): number {
  const seconds = /^(\d+)s$/.exec(duration)?.[1];
  if (seconds === undefined) throw new Error(`cannot read the duration ${duration}`);
  return Number(seconds);
}
