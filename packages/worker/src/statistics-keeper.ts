import { type StatisticsStore, StatisticsTally } from '@quern/queue';

/** So late at most the figures are behind; one write for all that happens in the meantime. */
const WRITE_DELAY_MS = 200;

export interface StatisticsKeeperOptions {
  readonly store: Pick<StatisticsStore, 'add'>;
  /** Whether a write would go through; until then the figures come together here. */
  readonly isStoreReady: () => boolean;
  readonly onError: (error: Error) => void;
}

interface KeptTally {
  readonly model: string;
  readonly version: number;
  readonly tally: StatisticsTally;
}

/** Writes what the versions on this worker have done to where it outlives the worker. */
export class StatisticsKeeper {
  readonly #options: StatisticsKeeperOptions;
  readonly #tallies = new Map<string, KeptTally>();
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(options: StatisticsKeeperOptions) {
    this.#options = options;
  }

  /** The tally of a version; the same one each time. */
  of(model: string, version: number): StatisticsTally {
    const key = `${model}:${version}`;
    const known = this.#tallies.get(key);
    if (known !== undefined) return known.tally;
    const tally = new StatisticsTally(() => this.#writeSoon());
    this.#tallies.set(key, { model, version, tally });
    return tally;
  }

  #writeSoon(): void {
    if (this.#isClosed) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.#write();
    }, WRITE_DELAY_MS);
  }

  #write(): Promise<void> {
    this.#writing = this.#writing
      .then(() => this.#writeNow())
      .catch((error: unknown) => {
        if (error instanceof Error) this.#options.onError(error);
      });
    return this.#writing;
  }

  async #writeNow(): Promise<void> {
    if (!this.#options.isStoreReady()) {
      this.#writeSoon();
      return;
    }
    const kept = [...this.#tallies.values()];
    await Promise.all(
      kept.map(({ model, version, tally }) => this.#options.store.add(model, version, tally)),
    );
  }

  /** Writes what is left. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#write();
  }
}
