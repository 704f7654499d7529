import {
  type RunnerBatch,
  type RunnerBatchResult,
  RunnerFault,
  type RunnerModel,
  RunnerPool,
  type RunnerPoolOptions,
} from '@quern/runtime';
import type { Placement } from './instance-placer.ts';

export interface PlacedPoolOptions
  extends Omit<RunnerPoolOptions, 'instances' | 'deviceIds' | 'onStateChange'>,
    Required<Pick<RunnerPoolOptions, 'onStateChange'>> {
  /** Finds out where the instances go. Stops early when the signal is aborted. */
  readonly place: (signal: AbortSignal) => Promise<Placement>;
  /** The model that is loaded, made of the one given with the threads that an instance gets. */
  readonly prepare?: (model: RunnerModel) => RunnerModel;
  /** Told when that is known, before the first runner is started. */
  readonly onPlaced: (placement: Placement) => void;
  /** Told if it cannot be found out; the version has no runner then. */
  readonly onError: (error: unknown) => void;
}

/** A runner pool that is made once it is known how many instances there are, and where. */
export class PlacedPool {
  readonly #options: PlacedPoolOptions;
  readonly #stop = new AbortController();
  readonly #starting: Promise<void>;
  #pool: RunnerPool | undefined;
  #placement: Placement | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: PlacedPoolOptions) {
    this.#options = options;
    this.#starting = this.#start().catch(options.onError);
  }

  /** @throws RunnerFault as `RunnerPool.run`; `MODEL_UNAVAILABLE` before there is a pool */
  run(batch: RunnerBatch): Promise<RunnerBatchResult> {
    if (this.#pool !== undefined) return this.#pool.run(batch);
    const { name, version } = this.#options.model;
    const message = `${name}:${version} takes no batches: its instances are not placed yet`;
    return Promise.reject(new RunnerFault('MODEL_UNAVAILABLE', message, false));
  }

  /** As `RunnerPool.restart`. */
  async restart(): Promise<void> {
    await this.#pool?.restart();
  }

  /** As `RunnerPool.close`; then gives the devices back. */
  close(options: { graceMs?: number } = {}): Promise<void> {
    this.#closing ??= this.#close(options);
    return this.#closing;
  }

  async #start(): Promise<void> {
    const { place, prepare, onPlaced, onStateChange, ...options } = this.#options;
    this.#placement = await place(this.#stop.signal);
    if (this.#stop.signal.aborted) return;
    const { instances, threads, deviceIds } = this.#placement;
    onPlaced(this.#placement);
    const model = { ...options.model, threads };
    this.#pool = new RunnerPool({
      ...options,
      model: prepare?.(model) ?? model,
      instances,
      deviceIds,
      onStateChange: (status) => {
        const provider = status.loaded?.executionProvider;
        // It fell back to another provider, and others may need the device.
        if (provider !== undefined && provider !== 'cuda') void this.#placement?.release();
        onStateChange(status);
      },
    });
  }

  async #close(options: { graceMs?: number }): Promise<void> {
    this.#stop.abort();
    await this.#starting;
    await this.#pool?.close(options);
    await this.#placement?.release();
  }
}
