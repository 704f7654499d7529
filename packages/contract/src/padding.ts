import { z } from 'zod';

/** An axis of an input. */
const axisReferenceSchema = z.object({
  input: z.string(),
  axis: z.number().int().nonnegative(),
});
export type AxisReference = z.infer<typeof axisReferenceSchema>;

/** How a dynamic dimension is brought to a length that entries of near lengths share. */
const paddedAxisSchema = axisReferenceSchema.extend({
  /** What the added elements are. */
  value: z.union([z.number(), z.string(), z.boolean()]),
  /** The lengths to pad to, ascending, or `auto`: learnt from what arrives. Missing where `like` stands. */
  buckets: z.union([z.array(z.number().int().positive()), z.literal('auto')]).optional(),
  /** With `auto`: no length is padded beyond this. */
  max: z.number().int().positive().optional(),
  /** Has the length of this other axis, before padding and after. */
  like: axisReferenceSchema.optional(),
});
export type PaddedAxis = z.infer<typeof paddedAxisSchema>;

export const ROUNDINGS = ['up', 'down', 'nearest'] as const;

/** How an output's dimension follows from a padded one, so that what padding added is cut off. */
const cutBackSchema = z.object({
  output: z.string(),
  axis: z.number().int().nonnegative(),
  like: axisReferenceSchema,
  /** The output's length is the input's times this. */
  ratio: z.number().positive(),
  round: z.enum(ROUNDINGS),
});
export type CutBack = z.infer<typeof cutBackSchema>;

/** All that a model pads, and cuts off again. */
export const paddingSchema = z.object({
  axes: z.array(paddedAxisSchema),
  cutBack: z.array(cutBackSchema),
});
export type Padding = z.infer<typeof paddingSchema>;

/** The extent of an output's axis for an extent of the input's axis that it follows. */
export function cutExtent({ ratio, round }: CutBack, inputExtent: number): number {
  const exact = inputExtent * ratio;
  const nearest = Math.round(exact);
  // A ratio such as 1/3 is not exact in binary: 3 of 9 must not become 4 for a last bit.
  if (Math.abs(exact - nearest) < 1e-9 * Math.max(1, exact)) return nearest;
  if (round === 'nearest') return nearest;
  return round === 'up' ? Math.ceil(exact) : Math.floor(exact);
}
