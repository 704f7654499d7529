import { PREDICTION_STATUSES } from '@quern/contract';
import { z } from 'zod';
import { MAX_WAIT_SECONDS } from './prefer-header.ts';

const MAX_PAGE = 100;
const DEFAULT_PAGE = 20;
const MAX_CURSOR_LENGTH = 1000;

/** Query of `GET /v1/predictions/{id}`; parameters that are not known are passed over. */
export const getPredictionQuerySchema = z.object({
  wait: numberText(/^\d{1,4}(?:\.\d{1,3})?$/, 0, MAX_WAIT_SECONDS)
    .optional()
    .meta({
      type: 'number',
      minimum: 0,
      maximum: MAX_WAIT_SECONDS,
      description: 'Seconds to wait for the end of the prediction.',
    }),
});

/** Query of `GET /v1/predictions`. */
export const listPredictionsQuerySchema = z.object({
  model: z.string().optional().meta({ description: 'Only predictions of this model.' }),
  status: z.enum(PREDICTION_STATUSES).optional(),
  cursor: z
    .string()
    .max(MAX_CURSOR_LENGTH)
    .optional()
    .meta({ description: '`next` of an earlier page.' }),
  limit: numberText(/^\d{1,4}$/, 1, MAX_PAGE)
    .default(DEFAULT_PAGE)
    .meta({
      type: 'integer',
      minimum: 1,
      maximum: MAX_PAGE,
      description: 'Predictions on a page.',
    }),
});

function numberText(form: RegExp, min: number, max: number) {
  const message = `expected a number from ${min} to ${max}`;
  return z
    .string({ error: message })
    .regex(form, { error: message, abort: true })
    .transform(Number)
    .refine((value) => value >= min && value <= max, { error: message });
}
