import type { z } from 'zod';

/** The value of a JSON text; undefined for what is not JSON, e.g. a message by somebody else. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** One record or none: those of another release that this one cannot read are passed over. */
export function parseRecord<T>(schema: z.ZodType<T>, text: string | null): T[] {
  if (text === null) return [];
  const parsed = schema.safeParse(parseJson(text));
  return parsed.success ? [parsed.data] : [];
}
