import { ProfileResetListener, type ProfileStore, type StoredProfiles } from '@quern/queue';
import { type ModelVersion, modelFingerprint, type RepositoryModel } from '@quern/runtime';
import type { Logger } from '@quern/service';
import { type KnownProfiles, ProfileKeeper } from './profile-keeper.ts';

export interface ProfileKeepersOptions {
  readonly store: ProfileStore;
  /** A connection of role `subscriber`. */
  readonly subscriber: ConstructorParameters<typeof ProfileResetListener>[0];
  readonly isStoreReady: () => boolean;
  /** What the registry shows has changed. */
  readonly onReset: () => void;
  readonly logger: Logger;
}

/** The keepers of the run times of a model's versions, as its folder was read once. */
export interface ModelKeepers {
  /** @throws Error for a version that the model did not have when they were opened */
  readonly of: (version: number) => ProfileKeeper;
  /** They hear of resets no more. */
  readonly forget: () => void;
}

/**
 * The keepers of the run times of all versions on a worker. What the API says is to be forgotten, they
 * forget, while a model is loaded anew those of both loads.
 */
export class ProfileKeepers {
  readonly #options: ProfileKeepersOptions;
  readonly #listener: ProfileResetListener;
  readonly #byModel = new Map<string, Set<ReadonlyMap<number, ProfileKeeper>>>();

  constructor(options: ProfileKeepersOptions) {
    this.#options = options;
    this.#listener = new ProfileResetListener(options.subscriber);
  }

  /**
   * Reads what is stored of every version of a model, before any is loaded. What was measured with other
   * files under the same version number is left out. What cannot be read is logged, and then nothing is
   * known.
   */
  async open(model: RepositoryModel): Promise<ModelKeepers> {
    const { name } = model;
    const sets = await this.#setsOf(name);
    const keepers = await openModel(model, this.#options);
    sets.add(keepers);
    const of = (version: number): ProfileKeeper => {
      const keeper = keepers.get(version);
      if (keeper === undefined) throw new Error(`no keeper was opened for ${name}:${version}`);
      return keeper;
    };
    return { of, forget: () => void sets.delete(keepers) };
  }

  /** Those of a model; the first time it begins to hear of resets. */
  async #setsOf(model: string): Promise<Set<ReadonlyMap<number, ProfileKeeper>>> {
    const known = this.#byModel.get(model);
    if (known !== undefined) return known;
    const sets = new Set<ReadonlyMap<number, ProfileKeeper>>();
    this.#byModel.set(model, sets);
    await this.#listener.listen(model, (reset) => {
      for (const keepers of sets) {
        for (const keeper of keepers.values()) keeper.forget(reset);
      }
      this.#options.onReset();
    });
    return sets;
  }

  close(): void {
    this.#listener.close();
  }
}

async function openModel(
  { name, versions }: RepositoryModel,
  { store, isStoreReady, logger }: ProfileKeepersOptions,
): Promise<ReadonlyMap<number, ProfileKeeper>> {
  const stored = await readStored(store, name).catch((error: unknown) => {
    logger.warn({ err: error, model: name }, 'The stored run times could not be read');
    return undefined;
  });
  const keepers = new Map<number, ProfileKeeper>();
  for (const file of versions) {
    const { version } = file;
    const known = stored && (await knownOf(stored, file, logger));
    const keeper = new ProfileKeeper({ store, model: name, version, known, isStoreReady, logger });
    keepers.set(version, keeper);
  }
  return keepers;
}

async function readStored(store: ProfileStore, model: string): Promise<StoredProfiles> {
  await store.prune(model);
  return store.load(model);
}

async function knownOf(
  { records, resets }: StoredProfiles,
  file: ModelVersion,
  logger: Logger,
): Promise<KnownProfiles | undefined> {
  const { version } = file;
  try {
    const fingerprint = await modelFingerprint(file);
    const own = records.filter(
      (record) => record.version === version && record.fingerprint === fingerprint,
    );
    return { fingerprint, reset: resets.get(version), records: own };
  } catch (error) {
    // The runner will say the same of the file, and be heard.
    logger.debug({ err: error }, `No fingerprint of ${file.modelPath}`);
    return undefined;
  }
}
