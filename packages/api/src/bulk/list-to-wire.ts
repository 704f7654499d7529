import { z } from 'zod';

const DEFAULT_PAGE = 20;
const MAX_PAGE = 100;
const MAX_ID_LENGTH = 100;

/** Query of lists. */
export const listQuerySchema = z.object({
  after: z
    .string()
    .max(MAX_ID_LENGTH)
    .optional()
    .meta({ description: '`last_id` of the page before.' }),
  limit: z
    .string({ error: pageSizeText() })
    .regex(/^\d{1,5}$/, { error: pageSizeText(), abort: true })
    .transform(Number)
    .refine((value) => value >= 1 && value <= MAX_PAGE, { error: pageSizeText() })
    .default(DEFAULT_PAGE)
    .meta({ type: 'integer', minimum: 1, maximum: MAX_PAGE, description: 'Items on a page.' }),
});

function pageSizeText(): string {
  return `expected a number from 1 to ${MAX_PAGE}`;
}

/** A page as OpenAI's clients walk through it. */
export function listToWire<T extends { readonly id: string }>(data: T[], hasMore: boolean) {
  return {
    object: 'list' as const,
    data,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
    has_more: hasMore,
  };
}
