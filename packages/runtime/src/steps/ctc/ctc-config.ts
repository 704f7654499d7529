import { z } from 'zod';

/** Settings of `ctc`: scores of characters over time become a text. */
export const ctcConfigSchema = z.strictObject({
  /** The output to read; may be left out where there is one of floats alone. */
  output: z.string().optional(),
  /** A file in the model's folder with one character on each line, in the order of the classes. */
  alphabet: z.string().min(1).default('alphabet.txt'),
  /** The class that stands for "nothing new"; it is not in the alphabet. */
  blank: z.union([z.number().int().nonnegative(), z.literal('last')]).default(0),
  /** Whether a space follows the alphabet, which few files have as a line. */
  space: z.boolean().default(false),
});
export type CtcConfig = z.infer<typeof ctcConfigSchema>;
