import { z } from 'zod';

/** Query of `GET /v1/models/{model}`; parameters that are not known are passed over. */
export const getModelQuerySchema = z.object({
  profile: z.enum(['true', 'false']).optional().meta({
    description: 'With `true` the stored run times of every version come along.',
  }),
});
