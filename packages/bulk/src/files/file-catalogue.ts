import { QuernError, show } from '@quern/contract';
import type { Redis } from 'ioredis';
import { z } from 'zod';
import {
  FILE_BYTES_KEY,
  FILE_ENDS_KEY,
  FILES_KEY,
  fileKey,
  purposeKey,
  segmentsKey,
  TOTAL_BYTES_KEY,
} from '../keys.ts';
import { type ListPage, type ListQuery, pageOf } from '../list-page.ts';
import {
  FILE_PURPOSES,
  type FilePurpose,
  type FileRecord,
  fileRecordSchema,
  formatSegment,
  isFileId,
  parseSegment,
  type Segment,
  type StoredFile,
} from './file-record.ts';
import { APPEND, PUBLISH, REMOVE } from './file-scripts.ts';

const MAX_FILES = 10_000;
/** Segments of a file that nobody has gone on writing for this long are removed. */
export const WRITE_PAUSE_MS = 3_600_000;
const SWEEP_STEP = 100;

const removedSchema = z.tuple([z.number(), z.array(z.string())]);

/** Which files there are, of which segments each is made, and how many bytes they take together. */
export class FileCatalogue {
  readonly #redis: Redis;

  constructor(redis: Redis) {
    this.#redis = redis;
  }

  /**
   * Adds a segment, whose bytes lie in the store already, to a file that is being written.
   * @param count segments that the file has
   * @param limitBytes most that all files may take together
   * @throws QuernError `STORAGE_FULL`
   */
  async append(id: string, count: number, segment: Segment, limitBytes: number): Promise<void> {
    const keys = [FILE_BYTES_KEY, TOTAL_BYTES_KEY, FILE_ENDS_KEY, segmentsKey(id)];
    const endsAtMs = Date.now() + WRITE_PAUSE_MS;
    const answer = await this.#redis.eval(
      APPEND,
      keys.length,
      ...keys,
      ...[id, count, formatSegment(segment), segment.bytes, endsAtMs, limitBytes],
    );
    if (answer === 'full') throw storageFull(limitBytes);
    // The answer to an earlier attempt may have been lost; but each is made once.
    if (answer !== 'ok') throw new Error(`file ${id} does not have ${count} segments`);
  }

  /**
   * Makes a file that is written readable.
   * @throws QuernError `STORAGE_FULL` if there are too many files
   */
  async publish(record: FileRecord): Promise<void> {
    const { id, purpose, createdAtMs, expiresAtMs } = record;
    const keys = [FILE_BYTES_KEY, FILE_ENDS_KEY, FILES_KEY, purposeKey(purpose), fileKey(id)];
    const args = [id, JSON.stringify(record), createdAtMs, expiresAtMs, MAX_FILES];
    const answer = await this.#redis.eval(PUBLISH, keys.length, ...keys, ...args);
    if (answer !== 'ok') {
      throw new QuernError(
        'STORAGE_FULL',
        `files: there are ${MAX_FILES}, which is the most. Delete some that are not needed any more.`,
      );
    }
  }

  /** @returns undefined if there is no such file (any more) */
  async find(id: string): Promise<StoredFile | undefined> {
    if (!isFileId(id)) return undefined;
    const [text, bytes] = await Promise.all([
      this.#redis.get(fileKey(id)),
      this.#redis.hget(FILE_BYTES_KEY, id),
    ]);
    if (text === null) return undefined;
    const record = fileRecordSchema.parse(JSON.parse(text));
    return record.expiresAtMs <= Date.now() ? undefined : { ...record, bytes: Number(bytes) };
  }

  /** @throws QuernError `FILE_NOT_FOUND` */
  async get(id: string): Promise<StoredFile> {
    const file = await this.find(id);
    if (file === undefined) throw fileNotFound(id);
    return file;
  }

  /**
   * A page of files.
   * @throws QuernError `INVALID_REQUEST` for a cursor that is no file's id
   */
  list(query: ListQuery & { purpose?: FilePurpose }): Promise<ListPage<StoredFile>> {
    const { purpose } = query;
    const index = purpose === undefined ? FILES_KEY : purposeKey(purpose);
    return pageOf(this.#redis, index, query, (id) => this.find(id));
  }

  /** A file's segments in order. */
  async segments(id: string): Promise<Segment[]> {
    const texts = await this.#redis.lrange(segmentsKey(id), 0, -1);
    return texts.map(parseSegment);
  }

  /**
   * Forgets a file.
   * @returns its segments, to be removed from the store, and whether it could be read
   */
  async forget(id: string): Promise<{ existed: boolean; segments: Segment[] }> {
    const keys = [
      ...[FILE_BYTES_KEY, TOTAL_BYTES_KEY, FILE_ENDS_KEY, FILES_KEY],
      ...FILE_PURPOSES.map(purposeKey),
      ...[fileKey(id), segmentsKey(id)],
    ];
    const answer = await this.#redis.eval(REMOVE, keys.length, ...keys, id);
    const [existed, segments] = removedSchema.parse(answer);
    return { existed: existed === 1, segments: segments.map(parseSegment) };
  }

  /** Some of the files whose time is over. */
  async expired(): Promise<string[]> {
    return this.#redis.zrangebyscore(FILE_ENDS_KEY, '-inf', Date.now(), 'LIMIT', 0, SWEEP_STEP);
  }
}

export function fileNotFound(id: string): QuernError {
  return new QuernError(
    'FILE_NOT_FOUND',
    `file: got ${show(id)}, but no such file exists, or its time is over`,
  );
}

function storageFull(limitBytes: number): QuernError {
  return new QuernError(
    'STORAGE_FULL',
    `files: together they take as much as they may (${limitBytes} bytes here, see QUERN_FILES_TOTAL_BYTES). ` +
      'Delete some that are not needed any more, or try again later.',
  );
}
