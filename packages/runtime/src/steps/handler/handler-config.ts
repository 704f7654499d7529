import { z } from 'zod';

const settingsSchema = z.strictObject({
  /** The module, in the model's folder. */
  module: z.string().min(1),
  /** Passed on to the module as it stands. */
  settings: z.record(z.string(), z.unknown()).default({}),
});

/** Settings of the step `handler`; `handler: ./handler.mjs` is short for `handler: {module: ./handler.mjs}`. */
export const handlerConfigSchema = z.preprocess(
  (value) => (typeof value === 'string' ? { module: value } : value),
  settingsSchema,
);
export type HandlerConfig = z.infer<typeof settingsSchema>;
