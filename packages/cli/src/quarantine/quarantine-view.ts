import { z } from 'zod';

/** What the API says of the quarantine of a model. */
export const quarantineViewSchema = z.looseObject({
  results: z.array(
    z.looseObject({
      fingerprint: z.string(),
      version: z.string(),
      reason: z.string(),
      since: z.string(),
      until: z.string(),
    }),
  ),
});
export type QuarantineView = z.infer<typeof quarantineViewSchema>;

export const liftedViewSchema = z.looseObject({ lifted: z.number() });
