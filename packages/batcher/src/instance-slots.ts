import { InstanceSlot } from './instance-slot.ts';

/** The slots of the instances that can run batches, and of those gone whose batches still run. */
export class InstanceSlots<P, R> {
  readonly #byInstance = new Map<number, InstanceSlot<P, R>>();
  #available: readonly InstanceSlot<P, R>[] = [];

  get available(): readonly InstanceSlot<P, R>[] {
    return this.#available;
  }

  /** So many, or those with these keys. One that comes back has the batches it still had. */
  set(instances: number | readonly number[]): void {
    const keys = typeof instances === 'number' ? [...Array(instances).keys()] : instances;
    this.#available = keys.map((key) => this.#byInstance.get(key) ?? new InstanceSlot<P, R>(key));
    for (const slot of this.#available) this.#byInstance.set(slot.instance, slot);
    for (const slot of this.#byInstance.values()) this.forgetIfGone(slot);
  }

  /** To be called when a slot may have become idle. */
  forgetIfGone(slot: InstanceSlot<P, R>): void {
    if (slot.state === 'idle' && !this.#available.includes(slot)) {
      this.#byInstance.delete(slot.instance);
    }
  }
}
