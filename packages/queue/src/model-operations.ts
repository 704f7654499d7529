import type { Redis } from 'ioredis';
import { makeWish, type WishedState, withdrawWish } from './model-wishes.ts';
import type { ProfileRecord } from './profile-record.ts';
import { ProfileStore } from './profile-store.ts';
import type { QuarantinedInput } from './quarantine-store.ts';
import type { QuarantineWatch } from './quarantine-watch.ts';
import type { RegistryReader } from './registry-reader.ts';
import type { VersionStatistics } from './statistics-record.ts';
import { StatisticsStore } from './statistics-store.ts';
import { untilTaken, type WishOutcome, type WishWaitOptions } from './wish-outcome.ts';

export interface ModelOperationsParts {
  readonly redis: Redis;
  readonly registry: RegistryReader;
  readonly quarantine: QuarantineWatch;
  /** Makes failures of Redis and of a closed queue what the queue promises. */
  readonly guarded: <T>(action: () => Promise<T>) => Promise<T>;
}

/** What operators read of models and do to them; the failures are those of `PredictionQueue`. */
export class ModelOperations {
  readonly #parts: ModelOperationsParts;
  readonly #profiles: ProfileStore;
  readonly #statistics: StatisticsStore;

  constructor(parts: ModelOperationsParts) {
    this.#parts = parts;
    this.#profiles = new ProfileStore(parts.redis);
    this.#statistics = new StatisticsStore(parts.redis);
  }

  /** The inputs of a model that are in quarantine, the latest first. */
  quarantined(model: string): Promise<QuarantinedInput[]> {
    const { guarded, quarantine } = this.#parts;
    return guarded(() => quarantine.store.list(model));
  }

  /**
   * Accepts inputs in quarantine again: the one with this fingerprint, or all of the model.
   * @returns how many were in quarantine
   */
  liftQuarantine(model: string, fingerprint?: string): Promise<number> {
    const { guarded, quarantine } = this.#parts;
    return guarded(async () => {
      const lifted = await quarantine.store.lift(model, fingerprint);
      await quarantine.refresh();
      return lifted;
    });
  }

  /** What is stored of the run times of a model's versions, what was saved last first. */
  profiles(model: string): Promise<readonly ProfileRecord[]> {
    return this.#parts.guarded(async () => (await this.#profiles.load(model)).records);
  }

  /**
   * Forgets the run times of some versions, here and in every worker.
   * @returns how many records there were
   */
  resetProfiles(model: string, versions: readonly number[]): Promise<number> {
    return this.#parts.guarded(() => this.#profiles.reset(model, versions));
  }

  /** What versions of a model have done, in the order of `versions`. */
  statistics(model: string, versions: readonly number[]): Promise<VersionStatistics[]> {
    return this.#parts.guarded(() => this.#statistics.read(model, versions));
  }

  /**
   * Has every worker load or unload a model, those too that start later, and waits until the live ones
   * have. A wish for a model that no worker has a folder for is not kept.
   */
  wish(model: string, wish: WishedState, wait: WishWaitOptions): Promise<WishOutcome> {
    const { guarded, redis, registry } = this.#parts;
    return guarded(async () => {
      const revision = await makeWish(redis, model, wish);
      const outcome = await untilTaken(registry, { model, revision }, wait);
      const isUnknown = registry.model(model) === undefined;
      if (isUnknown && outcome.pending === 0 && outcome.absent === outcome.workers) {
        await withdrawWish(redis, model, revision);
      }
      return outcome;
    });
  }
}
