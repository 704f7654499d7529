import { ulid } from 'ulid';
import { z } from 'zod';

/** What a file is for: lines to predict, which a client uploads, or lines that a batch wrote. */
export const FILE_PURPOSES = ['batch', 'batch_output'] as const;
export type FilePurpose = (typeof FILE_PURPOSES)[number];

export const fileRecordSchema = z.object({
  id: z.string(),
  filename: z.string(),
  purpose: z.enum(FILE_PURPOSES),
  createdAtMs: z.number(),
  /** When it is removed by itself. */
  expiresAtMs: z.number(),
});
/** A file as Redis keeps it. */
export type FileRecord = z.infer<typeof fileRecordSchema>;

/** A file that can be read. */
export interface StoredFile extends FileRecord {
  readonly bytes: number;
}

const FILE_ID = /^file-[0-9a-hjkmnp-tv-z]{26}$/;

/** Ids are in the order of their making. */
export function newFileId(): string {
  return `file-${ulid().toLowerCase()}`;
}

/** Whether a text can be a file's id. */
export function isFileId(text: string): boolean {
  return FILE_ID.test(text);
}

/** A piece of a file. */
export interface Segment {
  readonly bytes: number;
  /** Made up for each attempt to write, so that no attempt overwrites another's. */
  readonly name: string;
}

export function formatSegment({ bytes, name }: Segment): string {
  return `${bytes} ${name}`;
}

/** @param text as `formatSegment` writes it */
export function parseSegment(text: string): Segment {
  const blank = text.indexOf(' ');
  return { bytes: Number(text.slice(0, blank)), name: text.slice(blank + 1) };
}
