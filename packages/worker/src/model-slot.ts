import { setTimeout } from 'node:timers/promises';
import type { ServedModel, TakenWish } from '@quern/contract';
import type { ModelWish } from '@quern/queue';
import { formatProblem, type RepositoryModel, type RepositoryScan } from '@quern/runtime';
import type { Logger } from '@quern/service';
import type { ModelService } from './model-service.ts';
import type { VersionMeter } from './version-meter.ts';

/** A service with what goes with it. */
export interface SlotService {
  readonly service: ModelService;
  /** Called once it is closed. */
  readonly onClosed: () => void;
}

export interface ModelSlotOptions {
  readonly name: string;
  /** Reads the model's folder; undefined if there is none. */
  readonly read: () => Promise<RepositoryScan | undefined>;
  /** Begins to load a model; it does not fetch before it is opened. */
  readonly load: (model: RepositoryModel, onChange: () => void) => Promise<SlotService>;
  /** Counts a version from one load of the model to the next. */
  readonly meterOf: (version: number) => VersionMeter;
  /** What the registry shows has changed. */
  readonly onChange: () => void;
  readonly logger: Logger;
}

/**
 * Predictions for a version that a new service does not have were accepted when the old one had it: they
 * run on it until none has come for so long, or another service takes over.
 */
const LINGER_MS = 30_000;

type Outcome = Omit<TakenWish, 'revision'>;

/**
 * The place of one model on this worker, where administrators' wishes are followed one after the other:
 *
 *     empty --load--> serving --unload--> draining --(what runs has ended)--> empty
 *                      |   ^
 *                     load |
 *                      v   | (all versions of the new service are ready: it takes over, the old one drains)
 *                  serving, a new service loads beside it
 *                      |   ^
 *                      '---' (it fails: the new one goes, the old one stays)
 *
 * An empty place takes the new service at once, and keeps one that cannot load: it tries again, as after
 * the start of the worker. So does a place whose service has no version that runs. A newer wish ends the
 * wait for a load; wishes in between are left out.
 */
export class ModelSlot {
  readonly #options: ModelSlotOptions;
  readonly #versions = new Set<number>();
  #current: SlotService | undefined;
  /** Loads beside the current one. */
  #fresh: SlotService | undefined;
  readonly #retiring = new Map<SlotService, Promise<void>>();
  #endLingering: () => void = () => {};
  #isUnloading = false;
  #model: RepositoryModel | undefined;
  #problems: RepositoryScan['problems'] = [];
  #revision = 0;
  #next: ModelWish | undefined;
  #taken: TakenWish | undefined;
  #work: Promise<void> | undefined;
  /** Looks whether the wait for a load is over. */
  #wake: () => void = () => {};
  #isClosed = false;

  constructor(options: ModelSlotOptions) {
    this.#options = options;
  }

  get name(): string {
    return this.#options.name;
  }

  /** As it was read last; undefined if nothing could be served. */
  get model(): RepositoryModel | undefined {
    return this.#model;
  }

  /** Of the folder, as it was read last. */
  get problems(): string[] {
    return this.#problems.map(formatProblem);
  }

  /** How the last wish was taken; undefined while it is followed, or if there was none. */
  get taken(): TakenWish | undefined {
    return this.#taken;
  }

  /** True unless something loads for the first time. */
  get isSettled(): boolean {
    return this.#current?.service.isSettled !== false;
  }

  /** As the registry shows it; undefined while nothing is loaded. */
  served(): ServedModel | undefined {
    const served = this.#current?.service.served();
    if (served === undefined || !this.#isUnloading) return served;
    const versions = served.versions.map((version) => ({
      ...version,
      state: 'unloading' as const,
    }));
    return { ...served, versions };
  }

  /** Takes the place that the model has when the worker starts. */
  async begin(scan: RepositoryScan, wish: ModelWish | undefined): Promise<void> {
    this.#keep(scan);
    if (wish !== undefined) this.#revision = wish.revision;
    if (wish?.wish === 'unloaded') {
      this.#taken = { revision: wish.revision, outcome: 'unloaded' };
      return;
    }
    if (this.#model !== undefined) {
      this.#current = await this.#load(this.#model);
      // The worker was stopped in mid-start.
      if (this.#isClosed) return this.#current.service.close(0);
      this.#current.service.open();
    }
    if (wish !== undefined) this.#run(async () => this.#settle(wish, await this.#outcomeOf()));
  }

  /** Follows a wish, unless it is known. */
  take(wish: ModelWish): void {
    if (this.#isClosed || wish.revision === this.#revision) return;
    this.#revision = wish.revision;
    this.#next = wish;
    this.#taken = undefined;
    this.#wake();
    this.#run(() => this.#follow());
  }

  /** Gives up a prediction, if it is held here. */
  cancel(id: string): void {
    for (const { service } of this.#services()) service.cancel(id);
  }

  /** Ends all, what still runs after the grace by force. */
  async close(graceMs: number): Promise<void> {
    this.#isClosed = true;
    this.#wake();
    this.#endLingering();
    await Promise.all(this.#services().map(({ service }) => service.close(graceMs)));
    await this.#work;
    // What began to load in the meantime.
    await Promise.all(this.#services().map(({ service }) => service.close(graceMs)));
    await Promise.all(this.#retiring.values());
  }

  #services(): SlotService[] {
    return [this.#current, this.#fresh, ...this.#retiring.keys()].flatMap((held) => held ?? []);
  }

  #run(action: () => Promise<void>): void {
    const before = this.#work ?? Promise.resolve();
    this.#work = before.then(action).catch((error: unknown) => {
      this.#options.logger.error({ err: error, model: this.name }, 'A wish was not followed');
    });
  }

  async #follow(): Promise<void> {
    const wish = this.#next;
    if (wish === undefined || this.#isClosed) return;
    this.#next = undefined;
    const follow = wish.wish === 'loaded' ? this.#reload() : this.#unload();
    const outcome = await follow.catch((error: unknown): Outcome => {
      return { outcome: 'failed', reason: error instanceof Error ? error.message : String(error) };
    });
    this.#settle(wish, outcome);
  }

  #settle({ revision, wish }: ModelWish, outcome: Outcome): void {
    if (this.#isClosed || this.#next !== undefined) return;
    this.#taken = { revision, ...outcome };
    const { logger, name } = this.#options;
    const level = outcome.outcome === 'failed' ? 'error' : 'info';
    logger[level]({ model: name, wish, ...outcome }, `Model ${name}: ${outcome.outcome}`);
    this.#changed();
  }

  async #reload(): Promise<Outcome> {
    const scan = await this.#options.read();
    if (scan === undefined) {
      const isServed = this.#current !== undefined;
      if (isServed) return { outcome: 'failed', reason: 'its folder is gone' };
      this.#model = undefined;
      this.#problems = [];
      return { outcome: 'absent' };
    }
    this.#keep(scan);
    const [model] = scan.models;
    if (model === undefined) return { outcome: 'failed', reason: this.problems.join('; ') };
    this.#fresh = await this.#load(model);
    if (this.#current === undefined) this.#takeOver();
    return this.#outcomeOf();
  }

  /** Waits for what loads, and lets it take over if it may. */
  async #outcomeOf(): Promise<Outcome> {
    const loading = this.#fresh ?? this.#current;
    if (loading === undefined) return { outcome: 'failed', reason: this.problems.join('; ') };
    const { service } = loading;
    await this.#until(() => service.isSettled);
    const reason = service.isSettled ? service.fault : 'there is a newer wish';
    if (loading === this.#fresh) {
      const isBetter = reason === undefined || this.#current?.service.isReady !== true;
      if (isBetter) this.#takeOver();
      else await this.#discard(loading);
    }
    return reason === undefined ? { outcome: 'loaded' } : { outcome: 'failed', reason };
  }

  #takeOver(): void {
    const previous = this.#current;
    this.#current = this.#fresh;
    this.#fresh = undefined;
    // The new one fetches first: predictions that the old one gives back do not wait.
    this.#current?.service.open();
    this.#changed();
    this.#endLingering();
    if (previous !== undefined) void this.#retire(previous, this.#current?.service);
  }

  async #discard(fresh: SlotService): Promise<void> {
    await fresh.service.close(0);
    fresh.onClosed();
    this.#fresh = undefined;
  }

  /** Lets running batches end, however long they take, then ends the runners. */
  #retire(held: SlotService, successor?: ModelService): Promise<void> {
    const retiring = this.#end(held, successor).finally(() => this.#retiring.delete(held));
    this.#retiring.set(held, retiring);
    return retiring;
  }

  async #end({ service, onClosed }: SlotService, successor?: ModelService): Promise<void> {
    try {
      if (successor !== undefined && service.hasMoreThan(successor)) {
        await this.#linger(service, successor);
      }
      await service.drain();
      await service.close(0);
    } catch (error) {
      this.#options.logger.error({ err: error, model: this.name }, 'A model did not end cleanly');
    }
    onClosed();
  }

  async #linger(service: ModelService, successor: ModelService): Promise<void> {
    const over = new AbortController();
    this.#endLingering = () => over.abort();
    if (this.#isClosed) over.abort();
    successor.predecessor = service;
    await service.stopFetching();
    const sinceMs = performance.now();
    while (!over.signal.aborted) {
      const leftMs = Math.max(sinceMs, service.lentAtMs) + LINGER_MS - performance.now();
      if (leftMs <= 0) break;
      await setTimeout(leftMs, undefined, { signal: over.signal }).catch(() => {});
    }
    successor.predecessor = undefined;
  }

  async #unload(): Promise<Outcome> {
    this.#endLingering();
    const current = this.#current;
    if (current === undefined) {
      const isKnown = this.#model !== undefined || (await this.#options.read()) !== undefined;
      return { outcome: isKnown ? 'unloaded' : 'absent' };
    }
    this.#isUnloading = true;
    this.#changed();
    await this.#retire(current);
    this.#current = undefined;
    this.#isUnloading = false;
    return { outcome: 'unloaded' };
  }

  #keep({ models, problems }: RepositoryScan): void {
    this.#model = models[0] ?? this.#model;
    this.#problems = problems;
  }

  async #load(model: RepositoryModel): Promise<SlotService> {
    for (const { version } of model.versions) this.#versions.add(version);
    return this.#options.load(model, () => {
      this.#wake();
      this.#changed();
    });
  }

  /** Resolves when the condition holds, at a newer wish, or when the slot is closed. */
  #until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (this.#isClosed || this.#next !== undefined || condition()) resolve();
      };
      this.#wake = look;
      look();
    });
  }

  #changed(): void {
    const served = this.#current?.service.served().versions ?? [];
    for (const version of this.#versions) {
      const instances = served.find((item) => item.version === version)?.instances ?? 0;
      this.#options.meterOf(version).instances(instances);
    }
    this.#options.onChange();
  }
}
