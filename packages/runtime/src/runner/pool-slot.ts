import type { RunEvents } from './pending-runs.ts';
import { type RespawnPolicy, respawnDelayMs } from './respawn-policy.ts';
import { type Runner, type RunnerOptions, startRunner } from './runner.ts';
import type { RunnerBatch, RunnerBatchResult } from './runner-batch.ts';
import type { LoadedModel } from './runner-model.ts';

export interface SlotEvents {
  /** The runner became ready, died, or failed to load. */
  changed(): void;
}

/**
 * One of a pool's places for a runner. It goes
 *
 *     loading --> ready --(dies)--> waiting --(delay)--> loading ...
 *
 * until it is closed; a load that fails leads to `waiting` too. The delay grows with every death that
 * no successful batch came before.
 */
export class PoolSlot {
  readonly #options: RunnerOptions;
  readonly #policy: RespawnPolicy;
  readonly #events: SlotEvents;
  #runner: Runner;
  #loaded: LoadedModel | undefined;
  #failures = { deaths: 0, failedLoads: 0 };
  #reason: string | undefined;
  #respawnTimer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: RunnerOptions, policy: RespawnPolicy, events: SlotEvents) {
    this.#options = options;
    this.#policy = policy;
    this.#events = events;
    this.#runner = this.#start();
  }

  /** What the runner in place has loaded; undefined while there is none that is ready. */
  get loaded(): LoadedModel | undefined {
    return this.#loaded;
  }

  get isUnhealthy(): boolean {
    return this.#failures.failedLoads >= this.#policy.failuresUntilUnhealthy;
  }

  /** Why the last load failed; undefined after one that did not. */
  get reason(): string | undefined {
    return this.#reason;
  }

  get freePlaces(): number {
    return this.#runner.freePlaces;
  }

  async run(batch: RunnerBatch, events: RunEvents): Promise<RunnerBatchResult> {
    const result = await this.#runner.run(batch, events);
    this.#failures = { deaths: 0, failedLoads: 0 };
    return result;
  }

  async close(graceMs: number): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#respawnTimer);
    await this.#runner.close({ graceMs });
  }

  #start(): Runner {
    const runner = startRunner(this.#options);
    void this.#follow(runner);
    return runner;
  }

  async #follow(runner: Runner): Promise<void> {
    try {
      this.#loaded = await runner.ready;
      this.#failures.failedLoads = 0;
      this.#reason = undefined;
      this.#events.changed();
    } catch (error) {
      this.#failures.failedLoads += 1;
      this.#reason = error instanceof Error ? error.message : String(error);
    }
    await runner.exited;
    this.#loaded = undefined;
    this.#failures.deaths += 1;
    if (this.#isClosed) return;
    const delayMs = respawnDelayMs(this.#failures, this.#policy);
    this.#respawnTimer = setTimeout(() => {
      this.#runner = this.#start();
    }, delayMs);
    this.#events.changed();
  }
}
