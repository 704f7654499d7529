import { isTerminal, type Prediction } from '@quern/contract';
import type { Redis } from 'ioredis';
import { BullQueues } from '../bull-queues.ts';
import { JobReader } from '../job-reader.ts';
import { predictionFromJob } from '../job-record.ts';
import type { PayloadStore } from '../payload-store.ts';
import type { DeliveryData } from './delivery-record.ts';

/** A prediction as it is when a delivery tells of its end. */
export interface DeliveredPrediction {
  readonly prediction: Prediction;
  /** Whether its output was too large to be read. */
  readonly isOutputLeftOut: boolean;
}

/** Reads the predictions that deliveries tell of. */
export class DeliveredPredictions {
  readonly #queues: BullQueues;
  readonly #reader: JobReader;

  /** @param payloads where outputs lie */
  constructor(redis: Redis, payloads: PayloadStore, onError: (error: Error) => void) {
    this.#queues = new BullQueues(redis, onError);
    this.#reader = new JobReader(redis, payloads);
  }

  /**
   * @param maxOutputBytes of the encoded output; a larger one is not read
   * @returns undefined if it is gone, or runs again because an operator has retried it
   */
  async read(
    { prediction: { id, model }, createdAtMs }: DeliveryData,
    maxOutputBytes: number,
  ): Promise<DeliveredPrediction | undefined> {
    const view = await this.#reader.view(await this.#queues.of(model), id);
    // Its id may stand for another prediction by now.
    if (view === undefined || view.createdAtMs !== createdAtMs) return undefined;
    const isOutputLeftOut = (view.result?.bytes ?? 0) > maxOutputBytes;
    const prediction = isOutputLeftOut
      ? predictionFromJob(view, 'not read')
      : await this.#reader.prediction(view);
    return isTerminal(prediction.status) ? { prediction, isOutputLeftOut } : undefined;
  }

  /** Lets go of the queues; the connection stays its owner's. */
  close(): Promise<void> {
    return this.#queues.close();
  }
}
