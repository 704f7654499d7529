import { setTimeout as delay } from 'node:timers/promises';
import { QuernError } from '@quern/contract';
import type { EmbeddedRedis } from './embedded-redis.ts';
import { RestartPolicy } from './restart-policy.ts';
import { ServiceProcess, type ServiceSpec } from './service-process.ts';

export interface SupervisorEvents {
  /** Something died and comes back. */
  warn(message: string): void;
  /** The children are others than before. */
  changed(pids: readonly number[]): void;
}

/** A part under watch: a service or Redis. */
interface Watched {
  readonly name: string;
  readonly policy: RestartPolicy;
  /** Starts it; resolves when it runs. */
  readonly start: () => Promise<RunningPart>;
  running: RunningPart | undefined;
}

interface RunningPart {
  readonly pid: number | undefined;
  readonly ended: Promise<string>;
  stop(): Promise<void>;
  kill(): void;
}

/** What to start: Redis, if it is ours, and the services in the order in which they are stopped. */
export interface SupervisedParts {
  readonly startRedis: (() => Promise<EmbeddedRedis>) | undefined;
  /** Each inner list is stopped together, after the lists before it. */
  readonly services: (redisUrl: string | undefined) => readonly (readonly ServiceSpec[])[];
}

/**
 * Starts the parts of an all-in-one, keeps them alive and stops them in order.
 *
 * It is `starting` until `markServing()`: a part that ends then has said why, and everything is over.
 * Then it is `serving`: a part that ends is started again after a pause, and only one that keeps dying
 * ends everything. From `stop()` or `kill()` on it is `stopping`, and parts may end.
 */
export class Supervisor {
  /** Rejects with the reason when it cannot go on; its owner stops it then. */
  readonly failed: Promise<never>;
  readonly #events: SupervisorEvents;
  readonly #ending = new AbortController();
  #fail: (error: QuernError) => void = () => {};
  #state: 'starting' | 'serving' | 'stopping' = 'starting';
  #redis: Watched | undefined;
  #services: Watched[][] = [];
  /** Starts that are under way; stopping waits for them, or they would outlive it. */
  readonly #starts = new Set<Promise<void>>();
  #stopping: Promise<void> | undefined;

  constructor(events: SupervisorEvents) {
    this.#events = events;
    this.failed = new Promise((_resolve, reject) => {
      this.#fail = reject;
    });
    // Whoever races against it sees it; nobody else needs to.
    this.failed.catch(() => {});
  }

  /** Starts Redis, waits until it is ready, then starts the services. */
  async start(parts: SupervisedParts): Promise<void> {
    const { startRedis } = parts;
    let redisUrl: string | undefined;
    if (startRedis !== undefined) {
      this.#redis = watched('Redis', async () => {
        const redis = await startRedis();
        redisUrl ??= redis.url;
        if (redis.url === redisUrl) return redisPart(redis);
        await redis.stop();
        throw new QuernError('REDIS_UNAVAILABLE', `Redis came back elsewhere, at ${redis.url}.`);
      });
      await this.#startPart(this.#redis);
    }
    if (this.#state === 'stopping') return;
    this.#services = parts
      .services(redisUrl)
      .map((group) => group.map((spec) => watched(spec.name, async () => servicePart(spec))));
    await Promise.all(this.#services.flat().map((part) => this.#startPart(part)));
  }

  /** From now on a part that ends is started again. */
  markServing(): void {
    if (this.#state === 'starting') this.#state = 'serving';
  }

  /** Stops the services group by group, then Redis. A second call waits for the first. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  /** Ends everything at once. */
  kill(): void {
    this.#leave();
    for (const part of [...this.#services.flat(), this.#redis]) part?.running?.kill();
  }

  async #stop(): Promise<void> {
    this.#leave();
    await Promise.allSettled(this.#starts);
    for (const group of this.#services) {
      await Promise.all(group.map((part) => part.running?.stop()));
    }
    await this.#redis?.running?.stop();
  }

  #leave(): void {
    this.#state = 'stopping';
    this.#ending.abort();
  }

  #startPart(part: Watched): Promise<void> {
    const start = this.#run(part).finally(() => this.#starts.delete(start));
    this.#starts.add(start);
    return start;
  }

  async #run(part: Watched): Promise<void> {
    const running = await part.start();
    part.running = running;
    // Told to stop while it was starting.
    if (this.#state === 'stopping') await running.stop();
    this.#events.changed(this.#pids());
    void running.ended.then((how) => this.#onEnded(part, how));
  }

  #onEnded(part: Watched, how: string): void {
    part.running = undefined;
    if (this.#state === 'stopping') return;
    if (this.#state === 'starting') {
      this.#fail(endedAtStart(part.name, how));
      return;
    }
    const pauseMs = part.policy.noteDeath(performance.now());
    if (pauseMs === undefined) {
      this.#fail(new QuernError('INTERNAL', `${part.name} keeps ending (${how}): giving up.`));
      return;
    }
    this.#events.warn(`${part.name} ended (${how}); it is started again in ${pauseMs} ms.`);
    void this.#restart(part, pauseMs);
  }

  async #restart(part: Watched, pauseMs: number): Promise<void> {
    await delay(pauseMs, undefined, { signal: this.#ending.signal }).catch(() => {});
    if (this.#state === 'stopping') return;
    try {
      await this.#startPart(part);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#fail(new QuernError('INTERNAL', `${part.name} could not be started again: ${reason}`));
    }
  }

  #pids(): number[] {
    return this.#services.flat().flatMap((part) => part.running?.pid ?? []);
  }
}

function watched(name: string, start: () => Promise<RunningPart>): Watched {
  return { name, start, policy: new RestartPolicy(), running: undefined };
}

function servicePart(spec: ServiceSpec): RunningPart {
  return new ServiceProcess(spec);
}

function redisPart(redis: EmbeddedRedis): RunningPart {
  return {
    pid: redis.pid,
    ended: redis.ended.then(() => `pid ${redis.pid}`),
    stop: () => redis.stop(),
    kill: () => redis.kill(),
  };
}

function endedAtStart(name: string, how: string): QuernError {
  const said = how.startsWith('exit code') ? '; its last message says why' : '';
  return new QuernError('INTERNAL', `The ${name} ended while it was starting (${how})${said}.`);
}
