import { z } from 'zod';

const scalar = z.union([z.number(), z.string(), z.boolean()]);

const columnSchema = z
  .strictObject({
    /** Without a common `input`, the session input that the column becomes. */
    name: z.string().min(1),
    /** The key in the record, if it is another than the name. */
    from: z.string().optional(),
    /** By default: `category` where `categories` are listed, else what the input's datatype says. */
    type: z.enum(['number', 'category', 'boolean', 'text']).optional(),
    /** The values that a category may have. */
    categories: z.array(scalar).nonempty().optional(),
    /** `index`: the category's place in the list; `oneHot`: a number for each; `text`: as it came. */
    encode: z.enum(['index', 'oneHot', 'text']).optional(),
    /** A value that is not listed: refused, or encoded as -1, as zeros, or as it came. */
    unknown: z.enum(['error', 'ignore']).default('error'),
    /** A value that is absent or null: refused, or NaN. */
    missing: z.enum(['error', 'nan']).default('error'),
    /** Instead of `missing`: what stands for a value that is absent or null. */
    default: scalar.optional(),
    /** With `std`: a number becomes (number - mean) / std. */
    mean: z.number().optional(),
    std: z.number().positive().optional(),
  })
  .refine(({ type, categories }) => type !== 'category' || categories !== undefined, {
    error: 'a category needs the list of its values',
    path: ['categories'],
  })
  .refine(({ categories = [] }) => new Set(categories).size === categories.length, {
    error: 'lists a value twice',
    path: ['categories'],
  });

/** Settings of one column. */
export type ColumnConfig = z.infer<typeof columnSchema>;

/** A column that is only named has the default settings. */
const namedColumn = z.preprocess(
  (column) => (typeof column === 'string' ? { name: column } : column),
  columnSchema,
);

/** Settings of the `record` step: JSON objects become columns. */
export const recordConfigSchema = z.strictObject({
  /** What callers send the object as. */
  field: z.string().min(1).default('record'),
  /** One input `[rows, columns]` for all columns, in their order. Without it each has an input of its own. */
  input: z.string().optional(),
  /** In their order. Without them every input `[rows]` or `[rows, 1]` is a column of its name. */
  columns: z.array(namedColumn).nonempty().optional(),
  /** Keys of a record that are no column. */
  otherKeys: z.enum(['error', 'ignore']).default('error'),
});

export type RecordConfig = z.infer<typeof recordConfigSchema>;
