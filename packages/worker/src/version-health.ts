import type { Clock } from '@quern/batcher';
import { type QuernError, toQuernError } from '@quern/contract';
import {
  type BreakerEvent,
  type BreakerSettings,
  type BreakerState,
  closedBreaker,
  DEFAULT_BREAKER_SETTINGS,
  nextBreakerState,
} from './circuit-breaker.ts';
import { runControl } from './control-run.ts';
import type { BatchRunner } from './execute-batch.ts';

/** The runners whose health is watched; a `RunnerPool` is one. */
export interface WatchedRunners extends BatchRunner {
  restart(): Promise<void>;
}

export interface VersionHealthOptions {
  readonly runners: WatchedRunners;
  readonly clock: Clock;
  /** It became unhealthy, or is well again. */
  readonly onChange: () => void;
  /** It became unhealthy, for the first time or again. */
  readonly onOpen: (reason: string) => void;
  readonly settings?: Partial<BreakerSettings>;
}

/**
 * The circuit breaker of one version at work: it hears how runs end, makes the control runs that the
 * breaker asks for, starts new runners when it opens, and wakes it when its delay is over.
 */
export class VersionHealth {
  readonly #options: VersionHealthOptions;
  #settings: BreakerSettings;
  #state: BreakerState;
  #cancelTimer: (() => void) | undefined;
  /** The check that is under way, or was last. */
  #check: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(options: VersionHealthOptions) {
    this.#options = options;
    this.#settings = { ...DEFAULT_BREAKER_SETTINGS, ...options.settings };
    this.#state = closedBreaker(this.#settings);
  }

  /** Why the version is unhealthy; undefined while it is not. */
  get reason(): string | undefined {
    return 'reason' in this.#state ? this.#state.reason : undefined;
  }

  /** Whether there is an input that is known to be good. */
  get canControl(): boolean {
    return this.#settings.canControl;
  }

  set canControl(canControl: boolean) {
    this.#settings = { ...this.#settings, canControl };
  }

  /** A run of predictions went through. */
  succeeded(): void {
    this.#handle({ kind: 'success' });
  }

  /** A run of predictions failed as a whole. */
  faulted({ code, message }: QuernError): void {
    // What the worker itself ended, or never began, says nothing of the model.
    if (code === 'SHUTTING_DOWN' || code === 'MODEL_UNAVAILABLE') return;
    const endedProcess = code === 'RUNNER_CRASHED' || code === 'RUN_TIMEOUT';
    this.#handle({ kind: 'fault', message, endedProcess });
  }

  /**
   * Makes a control run and takes its result into account.
   * @throws QuernError if it fails: the fault is the model's
   */
  async control(): Promise<void> {
    try {
      await runControl(this.#options.runners);
    } catch (error) {
      const { code, message } = toQuernError(error);
      // Runners that this side has just ended failed nothing.
      if (code !== 'SHUTTING_DOWN') {
        this.#handle({
          kind: 'control_failed',
          message: `it fails for an input that it has run before: ${message}`,
        });
      }
      throw error;
    }
    this.#handle({ kind: 'control_passed' });
  }

  /** Whether it is unhealthy, or a check that is under way finds that it is. */
  async isBroken(): Promise<boolean> {
    if (this.#state.kind === 'checking') await this.#check;
    return this.reason !== undefined;
  }

  #handle(event: BreakerEvent): void {
    if (this.#isClosed) return;
    const before = this.#state;
    const nowMs = this.#options.clock.nowMs();
    this.#state = nextBreakerState(before, event, nowMs, this.#settings);
    if (this.#state === before) return;
    this.#act(before, this.#state);
    if ('reason' in before !== 'reason' in this.#state) this.#options.onChange();
  }

  /** What entering a state asks for. */
  #act(before: BreakerState, state: BreakerState): void {
    if (state.kind === before.kind) return;
    if (state.kind === 'checking' || state.kind === 'trial') {
      // Its result comes back as an event.
      this.#check = this.control().catch(() => {});
    }
    if (state.kind === 'open') {
      this.#options.onOpen(state.reason);
      // A process may be broken in a way that only a new one heals.
      void this.#options.runners.restart();
      this.#wakeAt(state.untilMs);
    }
  }

  #wakeAt(untilMs: number): void {
    this.#cancelTimer = this.#options.clock.setTimer(untilMs, () => {
      this.#handle({ kind: 'tick' });
      // The clock was set back meanwhile.
      if (this.#state.kind === 'open' && !this.#isClosed) this.#wakeAt(this.#state.untilMs);
    });
  }

  /** Stops watching; a control run that is under way ends with its runner. */
  close(): void {
    this.#isClosed = true;
    this.#cancelTimer?.();
  }
}
