import { z } from 'zod';
import type { RecyclePolicy } from '../runner/recycle-policy.ts';

const positiveInteger = z.number().int().positive();

const expected = (text: string) => ({ error: `expected ${text}` });

const countOrAuto = z.union(
  [positiveInteger, z.literal('auto')],
  expected('a positive integer or auto'),
);

const instancesObject = z
  .strictObject({
    /** Loaded sessions, each in a process of its own. `auto` measures what is best for the cores there are. */
    count: countOrAuto.default(1),
    /** Threads that one session computes with; `auto` as for `count`. */
    threads: countOrAuto.default(1),
    /** How long that measuring may take, at a start that finds no result of an earlier one. */
    measureBudgetMs: positiveInteger.default(10_000),
    /** The CUDA device of every instance, by its number; `auto` leases the least loaded one for each. */
    device: z
      .union([z.number().int().nonnegative(), z.literal('auto')], expected('a number or auto'))
      .default('auto'),
    /** Share of a device's time, relative to the other models that run on it. */
    weight: z.number().positive().max(1000).default(1),
    /** When an instance is replaced although it works; its successor is warm before it goes. */
    recycle: z
      .strictObject({
        /** Growth of resident memory since the warm-up; `auto` is 512 MB, or what it had then if that is more. */
        maxMemoryGrowthMb: z
          .union([positiveInteger, z.enum(['auto', 'off'])], expected('MB, auto or off'))
          .default('auto'),
        maxAgeMinutes: z
          .union([z.number().positive(), z.literal('off')], expected('minutes or off'))
          .default('off'),
      })
      .prefault({}),
  })
  .prefault({});

/** `instances` in model.yaml; the word `auto` is short for both of its numbers. */
export const instancesSchema = z
  .preprocess(
    (value) => (value === 'auto' ? { count: 'auto', threads: 'auto' } : value),
    instancesObject,
  )
  .prefault({});
export type InstancesConfig = z.infer<typeof instancesSchema>;

/** The pool's view of `instances.recycle`. */
export function toRecyclePolicy({ recycle }: InstancesConfig): Partial<RecyclePolicy> {
  const { maxMemoryGrowthMb: growth, maxAgeMinutes: age } = recycle;
  return {
    maxMemoryGrowthBytes: typeof growth === 'number' ? growth * 1024 * 1024 : growth,
    maxAgeMs: typeof age === 'number' ? age * 60_000 : age,
  };
}
