import { z } from 'zod';
import { DATATYPES } from './datatypes.ts';
import { fieldSchema } from './input-field.ts';
import { paddingSchema } from './padding.ts';

/** What a model takes or gives under one name. */
export const tensorSpecSchema = z
  .object({
    name: z.string(),
    datatype: z.enum(DATATYPES),
    /** -1 marks a dynamic dimension. */
    shape: z.array(z.number().int().min(-1)),
    /** NaN and infinities are accepted (for models that read NaN as "missing"). */
    allowNonFinite: z.boolean().optional(),
    /** The axis that counts rows; null if all rows share the tensor. Axis 0 where it is left out. */
    batchAxis: z.number().int().nonnegative().nullable().optional(),
    /** An input that need not be sent: 1 where the input of this name is real, 0 where it is padding. */
    maskOf: z.string().optional(),
    /** What the elements are where the model's own steps read or write them; for BYTES alone. */
    field: fieldSchema.optional(),
  })
  .meta({ id: 'TensorSpec' });

export type TensorSpec = z.infer<typeof tensorSpecSchema>;

/** A version's inputs and outputs, and whether predictions may share a run. */
export const modelSignatureSchema = z.object({
  inputs: z.array(tensorSpecSchema),
  outputs: z.array(tensorSpecSchema),
  /** True if rows of several predictions may be stacked on the batch axes. */
  batchable: z.boolean(),
  /** The most rows that one prediction may have. */
  maxRows: z.number().int().positive(),
  /** Missing where inputs run with their exact shapes. */
  padding: paddingSchema.optional(),
});

export type ModelSignature = z.infer<typeof modelSignatureSchema>;
