import type { ErrorCode } from '@quern/contract';
import type { RunEvents } from './pending-runs.ts';
import { PoolSlot } from './pool-slot.ts';
import { DEFAULT_RECYCLE_POLICY, type RecyclePolicy } from './recycle-policy.ts';
import { type RecycleEvent, Recycler } from './recycler.ts';
import { DEFAULT_RESPAWN_POLICY, type RespawnPolicy } from './respawn-policy.ts';
import type { RunnerOptions } from './runner.ts';
import type { RunnerBatch, RunnerBatchResult } from './runner-batch.ts';
import { RunnerFault } from './runner-fault.ts';
import type { LoadedModel } from './runner-model.ts';

export interface RunnerPoolOptions extends Omit<RunnerOptions, 'onExit' | 'onMemory'> {
  /** How many runners to keep alive. */
  readonly instances: number;
  /** The CUDA device of each instance; one without takes what `model` says. */
  readonly deviceIds?: readonly number[];
  /** Called whenever a runner becomes ready, dies or fails to load. */
  readonly onStateChange?: (status: RunnerPoolStatus) => void;
  readonly respawn?: Partial<RespawnPolicy>;
  readonly recycle?: Partial<RecyclePolicy>;
  /** Called when a runner was replaced for its memory or age, or its successor did not load. */
  readonly onRecycle?: (event: RecycleEvent) => void;
}

export interface RunnerPoolStatus {
  /** `ready` with at least one runner, `unhealthy` if loading has failed several times in a row. */
  readonly state: 'loading' | 'ready' | 'unhealthy';
  readonly readyInstances: number;
  /** Why the last load failed. */
  readonly reason?: string;
  /** What a runner has loaded; stays known when all have died. */
  readonly loaded?: LoadedModel;
}

interface WaitingBatch {
  readonly batch: RunnerBatch;
  readonly events: RunEvents;
  resolve(result: Promise<RunnerBatchResult>): void;
  reject(fault: RunnerFault): void;
}

/**
 * The runners of one model version. Each that dies is started again, with growing delays; a version
 * that fails to load several times is unhealthy, and is tried again now and then. One whose memory has
 * grown too much, or that is old, is replaced without a gap; see `Recycler` and `PoolSlot`.
 */
export class RunnerPool {
  readonly #options: RunnerPoolOptions;
  readonly #slots: readonly PoolSlot[];
  readonly #recycler: Recycler;
  #waiting: WaitingBatch[] = [];
  #lastLoaded: LoadedModel | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: RunnerPoolOptions) {
    this.#options = options;
    const policy = { ...DEFAULT_RESPAWN_POLICY, ...options.respawn };
    const events = {
      changed: () => this.#changed(),
      measured: () => this.#recycler.consider(),
    };
    this.#slots = Array.from(
      { length: options.instances },
      (_, i) => new PoolSlot(onDevice(options, options.deviceIds?.[i]), policy, events),
    );
    this.#recycler = new Recycler({
      slots: this.#slots,
      policy: { ...DEFAULT_RECYCLE_POLICY, ...options.recycle },
      onRecycle: options.onRecycle ?? (() => {}),
    });
  }

  get status(): RunnerPoolStatus {
    const readyInstances = this.#slots.filter((slot) => slot.loaded !== undefined).length;
    const unhealthy = this.#slots.some((slot) => slot.isUnhealthy);
    const reason = this.#slots.map((slot) => slot.reason).find((text) => text !== undefined);
    return {
      state: readyInstances > 0 ? 'ready' : unhealthy ? 'unhealthy' : 'loading',
      readyInstances,
      ...(reason === undefined ? {} : { reason }),
      ...(this.#lastLoaded === undefined ? {} : { loaded: this.#lastLoaded }),
    };
  }

  /** Batches that would be taken at once. */
  get freePlaces(): number {
    return this.#slots.reduce((sum, slot) => sum + slot.freePlaces, 0);
  }

  /**
   * Runs a batch on an idle runner, or behind the running batch of one that is not. With no place free
   * it waits for one.
   * @throws RunnerFault as `Runner.run`; `MODEL_UNAVAILABLE` (not started) if the version is unhealthy
   */
  run(batch: RunnerBatch, events: RunEvents = {}): Promise<RunnerBatchResult> {
    if (this.#closing !== undefined) return Promise.reject(this.#refusal('SHUTTING_DOWN'));
    const slot = this.#bestSlot();
    if (slot !== undefined) return this.#runOn(slot, batch, events);
    if (this.status.state === 'unhealthy') {
      return Promise.reject(this.#refusal('MODEL_UNAVAILABLE'));
    }
    return new Promise((resolve, reject) => this.#waiting.push({ batch, events, resolve, reject }));
  }

  /**
   * Ends every runner now and starts new ones after the usual delays: a process may be broken in a way
   * that only a new one heals. What runs or waits here rejects with `SHUTTING_DOWN`.
   */
  async restart(): Promise<void> {
    this.#rejectWaiting('SHUTTING_DOWN');
    await Promise.all(this.#slots.map((slot) => slot.restart()));
  }

  /** Refuses what waits, lets running batches end within the grace and ends the processes. */
  close(options: { graceMs?: number } = {}): Promise<void> {
    this.#closing ??= this.#close(options.graceMs ?? 10_000);
    return this.#closing;
  }

  async #close(graceMs: number): Promise<void> {
    this.#recycler.close();
    this.#rejectWaiting('SHUTTING_DOWN');
    await Promise.all(this.#slots.map((slot) => slot.close(graceMs)));
  }

  async #runOn(slot: PoolSlot, batch: RunnerBatch, events: RunEvents): Promise<RunnerBatchResult> {
    try {
      return await slot.run(batch, events);
    } finally {
      this.#serveWaiting();
    }
  }

  /** The slot with the most free places: an idle runner before one that has a batch running. */
  #bestSlot(): PoolSlot | undefined {
    let best: PoolSlot | undefined;
    for (const slot of this.#slots) {
      if (slot.freePlaces > (best?.freePlaces ?? 0)) best = slot;
    }
    return best;
  }

  #changed(): void {
    const { status } = this;
    this.#lastLoaded =
      this.#slots.map((slot) => slot.loaded).find((loaded) => loaded !== undefined) ??
      this.#lastLoaded;
    if (status.state === 'unhealthy') this.#rejectWaiting('MODEL_UNAVAILABLE');
    this.#serveWaiting();
    this.#options.onStateChange?.(this.status);
    this.#recycler.consider();
  }

  #serveWaiting(): void {
    for (let slot = this.#bestSlot(); slot !== undefined; slot = this.#bestSlot()) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      next.resolve(this.#runOn(slot, next.batch, next.events));
    }
  }

  #rejectWaiting(code: ErrorCode): void {
    for (const waiting of this.#waiting.splice(0)) waiting.reject(this.#refusal(code));
  }

  #refusal(code: ErrorCode): RunnerFault {
    const { name, version } = this.#options.model;
    const reason =
      code === 'SHUTTING_DOWN'
        ? 'its runners are being ended'
        : (this.status.reason ?? 'no runner');
    return new RunnerFault(code, `${name}:${version} takes no batches: ${reason}`, false);
  }
}

function onDevice(options: RunnerPoolOptions, deviceId: number | undefined): RunnerOptions {
  return deviceId === undefined ? options : { ...options, model: { ...options.model, deviceId } };
}
