import { isUtf8 } from 'node:buffer';
import { z } from 'zod';

/**
 * What a caller sends where a model prepares its own tensors. In binary form each is one element of a
 * BYTES tensor: an encoded file (`image`, `audio`), any bytes, UTF-8 text, or a record as JSON.
 */
export const FIELD_KINDS = ['image', 'audio', 'bytes', 'text', 'record'] as const;
export type FieldKind = (typeof FIELD_KINDS)[number];

/** Says of an input or output of BYTES what its elements are: one for each row. */
export const fieldSchema = z
  .object({
    kind: z.enum(FIELD_KINDS),
    /** For people: what is expected in it. */
    description: z.string().optional(),
    /** An element that is longer is refused. */
    maxBytes: z.number().int().positive().optional(),
  })
  .meta({ id: 'Field' });
export type Field = z.infer<typeof fieldSchema>;

/** Whether elements of this kind are bytes without a text: in JSON they stand in base64. */
export function isBinaryField({ kind }: Field): boolean {
  return kind === 'image' || kind === 'audio' || kind === 'bytes';
}

/** What is wrong with an element of a field, in words that follow its path; undefined if nothing is. */
export function fieldElementProblem(element: Uint8Array, field: Field): string | undefined {
  const { maxBytes } = field;
  if (maxBytes !== undefined && element.byteLength > maxBytes) {
    return `got ${element.byteLength} bytes, expected at most ${maxBytes}`;
  }
  if (!isBinaryField(field) && !isUtf8(element)) {
    return `got bytes that are not UTF-8, expected ${field.kind === 'text' ? 'text' : 'JSON'}`;
  }
  return undefined;
}
