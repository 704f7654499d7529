import type { RunEvents } from './pending-runs.ts';
import type { RunnerVitals } from './recycle-policy.ts';
import { type RespawnPolicy, respawnDelayMs } from './respawn-policy.ts';
import { type Runner, type RunnerOptions, startRunner } from './runner.ts';
import type { RunnerBatch, RunnerBatchResult } from './runner-batch.ts';
import type { LoadedModel } from './runner-model.ts';

export interface SlotEvents {
  /** The runner became ready, was replaced, died, or failed to load. */
  changed(): void;
  /** The runner's memory was measured. */
  measured(): void;
}

/**
 * One of a pool's places for a runner. It goes
 *
 *     loading --> ready --(dies)--> waiting --(delay)--> loading ...
 *
 * until it is closed; a load that fails leads to `waiting` too. The delay grows with every death that
 * no successful batch came before.
 *
 * While it is `ready`, `replace` starts a successor beside the runner in place, which goes on serving:
 *
 *     alone --(replace)--> succeeded by a loading one --(it is ready and warm)--> alone again
 *                                    |
 *                                    |--(it fails to load)--> alone, with the old one
 *                                    '--(the old one dies)--> the place is `loading`, with the successor
 *
 * In the moment that the successor is ready it takes the place and all new batches; the old runner
 * retires: it ends what it holds and is closed. At no time is the place without a ready runner.
 */
export class PoolSlot {
  readonly #options: RunnerOptions;
  readonly #policy: RespawnPolicy;
  readonly #events: SlotEvents;
  #runner: Runner;
  #successor: Runner | undefined;
  readonly #retiring = new Set<Runner>();
  #loaded: LoadedModel | undefined;
  #failures = { deaths: 0, failedLoads: 0 };
  #reason: string | undefined;
  #respawnTimer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: RunnerOptions, policy: RespawnPolicy, events: SlotEvents) {
    this.#options = { ...options, onMemory: () => events.measured() };
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

  /** Age and memory of the runner in place; undefined while there is none that is ready. */
  get vitals(): RunnerVitals | undefined {
    return this.#loaded === undefined ? undefined : this.#runner.vitals;
  }

  async run(batch: RunnerBatch, events: RunEvents): Promise<RunnerBatchResult> {
    const result = await this.#runner.run(batch, events);
    this.#failures = { deaths: 0, failedLoads: 0 };
    return result;
  }

  /**
   * Puts a fresh runner in place of the one that serves, without a gap; resolves when it has taken over.
   * @throws QuernError if it does not load; the old one serves on then, if it lives
   */
  async replace(): Promise<void> {
    const successor = startRunner(this.#options);
    this.#successor = successor;
    try {
      const loaded = await successor.ready;
      // It was adopted already if the old one has died meanwhile.
      if (this.#successor === successor) this.#takeOver(successor, loaded);
    } finally {
      if (this.#successor === successor) this.#successor = undefined;
    }
  }

  /** Ends the runner in place at once; the next one comes as after a death. */
  restart(): Promise<void> {
    return this.#closeRunners(0);
  }

  async close(graceMs: number): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#respawnTimer);
    await this.#closeRunners(graceMs);
  }

  async #closeRunners(graceMs: number): Promise<void> {
    const runners = [this.#runner, ...this.#retiring];
    if (this.#successor !== undefined) runners.push(this.#successor);
    await Promise.all(runners.map((runner) => runner.close({ graceMs })));
  }

  #start(): Runner {
    const runner = startRunner(this.#options);
    void this.#follow(runner);
    return runner;
  }

  #takeOver(successor: Runner, loaded: LoadedModel): void {
    const old = this.#runner;
    this.#runner = successor;
    this.#successor = undefined;
    this.#retiring.add(old);
    void old.retire().finally(() => this.#retiring.delete(old));
    this.#loaded = loaded;
    void this.#follow(successor);
  }

  /** Sees to the runner in place until it is dead or is replaced. */
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
    if (runner !== this.#runner) return;
    this.#loaded = undefined;
    this.#failures.deaths += 1;
    if (this.#isClosed) return;
    const successor = this.#successor;
    if (successor === undefined) {
      const delayMs = respawnDelayMs(this.#failures, this.#policy);
      this.#respawnTimer = setTimeout(() => {
        this.#runner = this.#start();
      }, delayMs);
    } else {
      this.#runner = successor;
      this.#successor = undefined;
      void this.#follow(successor);
    }
    this.#events.changed();
  }
}
