import { z } from 'zod';
import type { RecyclePolicy } from '../runner/recycle-policy.ts';

const positiveInteger = z.number().int().positive();

const expected = (text: string) => ({ error: `expected ${text}` });

/** `instances` in model.yaml. */
export const instancesSchema = z
  .strictObject({
    /** Loaded sessions, each in a process of its own. */
    count: positiveInteger.default(1),
    /** Threads that one session computes with. */
    threads: positiveInteger.default(1),
    /** The CUDA device of every instance, by its number; `auto` leases the least loaded one for each. */
    device: z
      .union([z.number().int().nonnegative(), z.literal('auto')], expected('a number or auto'))
      .default('auto'),
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
export type InstancesConfig = z.infer<typeof instancesSchema>;

/** The pool's view of `instances.recycle`. */
export function toRecyclePolicy({ recycle }: InstancesConfig): Partial<RecyclePolicy> {
  const { maxMemoryGrowthMb: growth, maxAgeMinutes: age } = recycle;
  return {
    maxMemoryGrowthBytes: typeof growth === 'number' ? growth * 1024 * 1024 : growth,
    maxAgeMs: typeof age === 'number' ? age * 60_000 : age,
  };
}
