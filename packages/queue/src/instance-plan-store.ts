import type { Redis } from 'ioredis';
import { z } from 'zod';
import { instancePlanKey } from './keys.ts';
import { parseRecord } from './parse-json.ts';

const storedPlanSchema = z.object({
  instances: z.number().int().positive(),
  threads: z.number().int().positive(),
});
/** How many processes, with how many threads each, were best for a model version. */
export type StoredInstancePlan = z.infer<typeof storedPlanSchema>;

const KEPT_MS = 30 * 24 * 3_600_000;
/** A measurement that was cut short is worth another one before long. */
const PROVISIONAL_MS = 3_600_000;

/** Measured layouts of instances in Redis, so that a worker that starts again, or like another, need not measure. */
export class InstancePlanStore {
  readonly #redis: Redis;

  constructor(redis: Redis) {
    this.#redis = redis;
  }

  /** @param conditions everything that the plan was measured for, as a text */
  async load(model: string, conditions: string): Promise<StoredInstancePlan | undefined> {
    const text = await this.#redis.get(instancePlanKey(model, conditions));
    return parseRecord(storedPlanSchema, text)[0];
  }

  /** @param isFinal false keeps it for an hour, true for a month */
  async save(
    model: string,
    conditions: string,
    plan: StoredInstancePlan,
    isFinal: boolean,
  ): Promise<void> {
    const text = JSON.stringify(storedPlanSchema.parse(plan));
    const ttlMs = isFinal ? KEPT_MS : PROVISIONAL_MS;
    await this.#redis.set(instancePlanKey(model, conditions), text, 'PX', ttlMs);
  }
}
