import { ROUNDINGS } from '@quern/contract';
import { z } from 'zod';

const axisNumber = z
  .string()
  .regex(/^\d{1,2}$/, { error: 'expected the number of an axis, counted from 0' });

/** `input_ids.1`: what stands behind the last dot is the axis. */
const axisReference = z
  .string()
  .regex(/^.+\.\d{1,2}$/, { error: 'expected INPUT.AXIS, such as input_ids.1' });

/** Which axis counts rows; `none` for a tensor that all rows of a run share. */
const batchAxis = z.union([z.number().int().nonnegative(), z.literal('none')], {
  error: 'expected the number of an axis, counted from 0, or none',
});

const BUCKETS = 'expected auto, or rising lengths such as [16, 32, 64]';

const buckets = z.union(
  [
    z
      .array(z.number().int().positive())
      .nonempty()
      .refine(
        (lengths) => lengths.every((length, i) => i === 0 || length > (lengths[i - 1] ?? 0)),
        { error: BUCKETS },
      ),
    z.literal('auto'),
  ],
  { error: BUCKETS },
);

const paddedAxis = z
  .strictObject({
    /** The lengths to pad to; `auto` learns them from what arrives. */
    buckets: buckets.optional(),
    /** With `buckets: auto`: nothing is padded beyond this length. */
    max: z.number().int().positive().optional(),
    /** Instead of buckets: this axis has the length of another one, before padding and after. */
    like: axisReference.optional(),
    /** What the added elements are; by default 0, or the empty text. */
    value: z.union([z.number(), z.string(), z.boolean()]).optional(),
  })
  .refine((axis) => (axis.buckets === undefined) !== (axis.like === undefined), {
    error: 'expected either buckets (lengths, or auto) or like (INPUT.AXIS)',
  })
  .refine((axis) => axis.max === undefined || axis.buckets === 'auto', {
    error: 'max goes with buckets: auto; listed buckets end with the largest',
    path: ['max'],
  });

/** What `model.yaml` says about one input. */
export const inputConfigSchema = z.strictObject({
  /** Accepts NaN and infinities, for models that read NaN as "missing". */
  allowNonFinite: z.boolean().optional(),
  /** The axis that counts rows, 0 by default; `none` for an input that a whole batch shares. */
  batchAxis: batchAxis.optional(),
  /** By axis: how it is padded, so that entries of near lengths share a batch. */
  padding: z.record(axisNumber, paddedAxis).optional(),
  /** Callers may leave this input out: it is 1 where the named input is real, and 0 where it is padded. */
  maskOf: z.string().optional(),
});
export type InputConfig = z.infer<typeof inputConfigSchema>;

/** What `model.yaml` says about one output. */
export const outputConfigSchema = z.strictObject({
  /** The axis that counts rows, 0 by default; `none` for an output that is the same for all rows. */
  batchAxis: batchAxis.optional(),
  /** By axis: the padded input axis whose length it follows, so that it is cut back for each entry. */
  cutBack: z
    .record(
      axisNumber,
      z.strictObject({
        like: axisReference,
        /** The output's length is the input's times this. */
        ratio: z.number().positive().default(1),
        /** Where that is not whole. */
        round: z.enum(ROUNDINGS).default('up'),
      }),
    )
    .optional(),
});
export type OutputConfig = z.infer<typeof outputConfigSchema>;
