/**
 * Asked before a batch is formed, where instances share a device with others: a batch that waited for
 * the device after it was formed could not grow meanwhile. All calls are synchronous and cheap.
 */
export interface TurnGate {
  /**
   * Takes a turn for an idle instance, which holds it until `end`. If refused, the batcher counts as
   * waiting until it takes a turn or withdraws, and `Batcher.wake` is called when one may be had.
   */
  start(): boolean;
  /** Whether a batch may be made ready behind one that runs, which prolongs the turn by a run. */
  mayPrefetch(): boolean;
  /** A run ended that kept the device busy for so long. */
  charge(deviceMs: number): void;
  /** The instance is idle again. */
  end(): void;
  /** Nothing is ready to run any more. */
  withdraw(): void;
}

/** Where no device is shared. */
export const OWN_DEVICE: TurnGate = {
  start: () => true,
  mayPrefetch: () => true,
  charge: () => {},
  end: () => {},
  withdraw: () => {},
};
