import type { ServedModel, TakenWish } from '@quern/contract';
import type { CancelListener, WishesByModel } from '@quern/queue';
import { modelConfigSchema, type RepositoryModel, type RepositoryScan } from '@quern/runtime';
import { ModelSlot, type ModelSlotOptions } from './model-slot.ts';
import type { VersionMeter } from './version-meter.ts';

export interface ModelSlotsOptions extends Pick<ModelSlotOptions, 'load' | 'onChange' | 'logger'> {
  /** Reads the folder of a model; undefined if there is none. */
  readonly read: (name: string) => Promise<RepositoryScan | undefined>;
  readonly meterOf: (model: string, version: number) => VersionMeter;
  readonly cancels: CancelListener;
  readonly onError: (error: Error) => void;
}

/** All models on a worker: those in its folder, and those that administrators wish for. */
export class ModelSlots {
  readonly #options: ModelSlotsOptions;
  readonly #slots = new Map<string, ModelSlot>();
  #isClosed = false;

  constructor(options: ModelSlotsOptions) {
    this.#options = options;
  }

  /** Loads what the folder holds, but for what is wished away. */
  async begin({ models, problems }: RepositoryScan, wishes: WishesByModel): Promise<void> {
    const names = new Set(
      [...models, ...problems.map(({ model }) => ({ name: model }))].map(nameOf),
    );
    // One model after the other: many large files at a time would only wait for each other.
    for (const name of names) {
      if (this.#isClosed) return;
      const scan = {
        models: models.filter((model) => model.name === name),
        problems: problems.filter(({ model }) => model === name),
      };
      await this.#slotOf(name).begin(scan, wishes.get(name));
    }
  }

  /** Follows what administrators wish for now; what they have taken back is forgotten. */
  readonly follow = (wishes: WishesByModel): void => {
    for (const [name, wish] of wishes) this.#slotOf(name).take(wish);
    for (const [name, slot] of this.#slots) {
      const isEmpty = slot.model === undefined && slot.problems.length === 0;
      if (isEmpty && slot.taken !== undefined && !wishes.has(name)) this.#slots.delete(name);
    }
  };

  /** The models whose queues this worker looks after, loaded or not. */
  models(): RepositoryModel[] {
    return [...this.#slots.values()].flatMap(({ model }) => model ?? []);
  }

  get isSettled(): boolean {
    return [...this.#slots.values()].every((slot) => slot.isSettled);
  }

  /** As the registry shows them, also those that cannot be served, with what is wrong. */
  served(): ServedModel[] {
    return [...this.#slots.values()].flatMap((slot) => {
      const problems = slot.problems.length === 0 ? {} : { problems: slot.problems };
      const served = slot.served();
      if (served !== undefined) return [{ ...served, ...problems }];
      const isWanted = slot.taken?.outcome !== 'unloaded';
      if (slot.problems.length === 0 || !isWanted) return [];
      const { batching, queue } = slot.model?.config ?? modelConfigSchema.parse({});
      return [{ name: slot.name, batching, queue, versions: [], ...problems }];
    });
  }

  /** How wishes were taken, by model. */
  taken(): Record<string, TakenWish> {
    const taken = [...this.#slots.values()].flatMap((slot): [string, TakenWish][] =>
      slot.taken === undefined ? [] : [[slot.name, slot.taken]],
    );
    return Object.fromEntries(taken);
  }

  async close(graceMs: number): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#slots.values()].map((slot) => slot.close(graceMs)));
  }

  #slotOf(name: string): ModelSlot {
    const known = this.#slots.get(name);
    if (known !== undefined) return known;
    const { read, load, meterOf, onChange, logger, cancels, onError } = this.#options;
    const slot = new ModelSlot({
      name,
      read: () => read(name),
      load,
      meterOf: (version) => meterOf(name, version),
      onChange,
      logger,
    });
    this.#slots.set(name, slot);
    cancels.listen(name, (id) => slot.cancel(id)).catch(onError);
    return slot;
  }
}

function nameOf({ name }: { readonly name: string }): string {
  return name;
}
