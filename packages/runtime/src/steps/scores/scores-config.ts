import { z } from 'zod';

const sharedSettings = {
  /** The output to read; may be left out where there is one of floats alone. */
  output: z.string().optional(),
};

/** Settings of `softmax` and `sigmoid`, which change scores in place. */
export const scoresConfigSchema = z.strictObject(sharedSettings);
export type ScoresConfig = z.infer<typeof scoresConfigSchema>;

/** What stands beside the classes; by default the lines of `labels.txt`, if there is one. */
const labels = z.array(z.string()).nonempty().optional();

/** Settings of `topK`. */
export const topKConfigSchema = z.strictObject({
  ...sharedSettings,
  /** How many classes to keep. */
  k: z.number().int().positive().default(5),
  labels,
});
export type TopKConfig = z.infer<typeof topKConfigSchema>;

/** Settings of `argmax`. */
export const argmaxConfigSchema = z.strictObject({ ...sharedSettings, labels });
export type ArgmaxConfig = z.infer<typeof argmaxConfigSchema>;

/** Settings of `threshold`. */
export const thresholdConfigSchema = z.strictObject({
  ...sharedSettings,
  /** Scores of this and above are true. */
  at: z.number().default(0.5),
});
export type ThresholdConfig = z.infer<typeof thresholdConfigSchema>;
