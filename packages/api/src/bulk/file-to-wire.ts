import { FILE_PURPOSES, type StoredFile } from '@quern/bulk';
import { z } from 'zod';

/** A file as clients of OpenAI's API know it. */
export const fileSchema = z
  .object({
    id: z.string(),
    object: z.literal('file'),
    bytes: z.number().int(),
    created_at: z.number().int().meta({ description: 'Unix time in seconds.' }),
    expires_at: z.number().int().meta({ description: 'When it is removed by itself.' }),
    filename: z.string(),
    purpose: z.enum(FILE_PURPOSES),
    status: z.literal('processed'),
  })
  .meta({ id: 'File' });
export type WireFile = z.infer<typeof fileSchema>;

export const fileListSchema = z
  .object({
    object: z.literal('list'),
    data: z.array(fileSchema),
    first_id: z.string().nullable(),
    last_id: z.string().nullable(),
    has_more: z.boolean(),
  })
  .meta({ id: 'FileList' });

export const fileDeletedSchema = z
  .object({ id: z.string(), object: z.literal('file'), deleted: z.literal(true) })
  .meta({ id: 'FileDeleted' });

export function fileToWire(file: StoredFile): WireFile {
  return {
    id: file.id,
    object: 'file',
    bytes: file.bytes,
    created_at: unixSeconds(file.createdAtMs),
    expires_at: unixSeconds(file.expiresAtMs),
    filename: file.filename,
    purpose: file.purpose,
    status: 'processed',
  };
}

/** Times on these routes are whole seconds, as OpenAI has them. */
export function unixSeconds(timeMs: number): number {
  return Math.floor(timeMs / 1000);
}
