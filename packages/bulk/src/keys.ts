/**
 * Every key of files in Redis. The records share one hash tag, so that a step which touches
 * several of them is one script, on a cluster too; the bytes of files are spread by file.
 */
const PREFIX = 'quern:{bulk}';

/** What of a file is not its bytes, as JSON. */
export function fileKey(id: string): string {
  return `${PREFIX}:file:${id}`;
}

/** List of a file's segments in order; see `Segment`. */
export function segmentsKey(id: string): string {
  return `${PREFIX}:segments:${id}`;
}

/** Sorted set of the files that can be read, by creation time. */
export const FILES_KEY = `${PREFIX}:files`;
/** Sorted set of all files, also those being written, by the time when they are removed. */
export const FILE_ENDS_KEY = `${PREFIX}:file-ends`;
/** Hash: file to bytes; what is being written counts as far as it is. */
export const FILE_BYTES_KEY = `${PREFIX}:file-bytes`;
/** The sum of that hash. */
export const TOTAL_BYTES_KEY = `${PREFIX}:total-bytes`;

/** Sorted set like `FILES_KEY` of the files of one purpose. */
export function purposeKey(purpose: string): string {
  return `${FILES_KEY}:${purpose}`;
}

/** The bytes of one segment, where Redis holds them. */
export function segmentKey(fileId: string, name: string): string {
  return `quern:{${fileId}}.segment:${name}`;
}
