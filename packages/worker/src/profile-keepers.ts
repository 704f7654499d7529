import { ProfileResetListener, type ProfileStore, type StoredProfiles } from '@quern/queue';
import { type ModelVersion, modelFingerprint, type RepositoryModel } from '@quern/runtime';
import type { Logger } from '@quern/service';
import { type KnownProfiles, ProfileKeeper } from './profile-keeper.ts';

export interface OpenKeepersOptions {
  readonly store: ProfileStore;
  readonly models: readonly RepositoryModel[];
  readonly isStoreReady: () => boolean;
  readonly logger: Logger;
}

type Subscriber = ConstructorParameters<typeof ProfileResetListener>[0];

/** The keepers of the run times of all versions on a worker. */
export class ProfileKeepers {
  readonly #byModel: ReadonlyMap<string, ReadonlyMap<number, ProfileKeeper>>;

  private constructor(byModel: ReadonlyMap<string, ReadonlyMap<number, ProfileKeeper>>) {
    this.#byModel = byModel;
  }

  /**
   * Reads what is stored of every version, before any is loaded. What was measured with other files
   * under the same version number is left out. What cannot be read is logged, and then nothing is known.
   */
  static async open(options: OpenKeepersOptions): Promise<ProfileKeepers> {
    const byModel = new Map<string, ReadonlyMap<number, ProfileKeeper>>();
    // One model after the other: many large files at a time would only wait for each other.
    for (const model of options.models) byModel.set(model.name, await openModel(model, options));
    return new ProfileKeepers(byModel);
  }

  /** @throws Error for a version that was not among those opened */
  of(model: string, version: number): ProfileKeeper {
    const keeper = this.#byModel.get(model)?.get(version);
    if (keeper === undefined) throw new Error(`no keeper was opened for ${model}:${version}`);
    return keeper;
  }

  /**
   * Forgets what the API says is to be forgotten, from now on.
   * @param subscriber a connection of role `subscriber`
   * @param onReset what the registry shows has changed
   * @returns the way to stop
   */
  async hearResets(subscriber: Subscriber, onReset: () => void): Promise<() => void> {
    const listener = new ProfileResetListener(subscriber);
    for (const [model, versions] of this.#byModel) {
      await listener.listen(model, (reset) => {
        for (const keeper of versions.values()) keeper.forget(reset);
        onReset();
      });
    }
    return () => listener.close();
  }
}

async function openModel(
  { name, versions }: RepositoryModel,
  { store, isStoreReady, logger }: OpenKeepersOptions,
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
