import { z } from 'zod';

/** Settings that steps over scores share. */
export const scoresConfigSchema = z.strictObject({
  /** The output to read; may be left out where there is one of floats alone. */
  output: z.string().optional(),
});
export type ScoresConfig = z.infer<typeof scoresConfigSchema>;
