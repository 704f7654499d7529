import { z } from 'zod';

/** Settings of `pooling`: one vector of the vectors of many tokens. */
export const poolingConfigSchema = z.strictObject({
  /** The output to read; may be left out where there is one of floats alone. */
  output: z.string().optional(),
  /** `mean` and `max` of the tokens that the mask keeps, or the vector of the first token. */
  mode: z.enum(['mean', 'max', 'cls']).default('mean'),
  /** The session input `[rows, tokens]` that says which tokens count; `attention_mask` if there is one. */
  mask: z.string().optional(),
  /** Whether each vector is brought to length 1. */
  normalize: z.boolean().default(true),
  /** What the output is called. */
  name: z.string().min(1).default('embedding'),
});
export type PoolingConfig = z.infer<typeof poolingConfigSchema>;
