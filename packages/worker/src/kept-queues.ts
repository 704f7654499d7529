import type { QueueSettings } from '@quern/contract';
import { openBullQueue } from '@quern/queue';
import type { RepositoryModel } from '@quern/runtime';

type Queue = ReturnType<typeof openBullQueue>;

/** The queues that a worker keeps house in, each opened when its model is first there. */
export class KeptQueues {
  readonly #redis: Parameters<typeof openBullQueue>[0];
  readonly #models: () => readonly RepositoryModel[];
  readonly #queues = new Map<string, Queue>();

  constructor(
    redis: Parameters<typeof openBullQueue>[0],
    models: () => readonly RepositoryModel[],
  ) {
    this.#redis = redis;
    this.#models = models;
  }

  /** With the settings that the models have now. */
  all(): { queue: Queue; settings: QueueSettings }[] {
    return this.#models().map(({ name, config }) => {
      const queue = this.#queues.get(name) ?? openBullQueue(this.#redis, name);
      this.#queues.set(name, queue);
      return { queue, settings: config.queue };
    });
  }

  async close(): Promise<void> {
    await Promise.all([...this.#queues.values()].map((queue) => queue.close()));
    this.#queues.clear();
  }
}
