import { QuernError } from '@quern/contract';
import type { Redis } from 'ioredis';
import { ulid } from 'ulid';
import { FileCatalogue } from './file-catalogue.ts';
import { type FilePurpose, newFileId, type Segment, type StoredFile } from './file-record.ts';
import { SEGMENT_BYTES, type SegmentStore } from './segment-store.ts';

export interface FileLimits {
  /** Largest file that may be uploaded, in bytes. */
  readonly maxFileBytes: number;
  /** Most that all files may take together, in bytes. */
  readonly totalBytes: number;
  /** How long a file is kept unless its maker says otherwise, ms. */
  readonly retentionMs: number;
}

export interface FileStoreOptions {
  readonly redis: Redis;
  readonly segments: SegmentStore;
  readonly limits: FileLimits;
}

/** A file that comes in. */
export interface Upload {
  readonly filename: string;
  readonly purpose: FilePurpose;
  /** How long it is kept; default as the limits say. */
  readonly retentionMs?: number;
}

/** A range of bytes, the last one included. */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

/** The longest that anything is kept. */
export const MAX_RETENTION_MS = 30 * 24 * 3_600_000;
/** What a process that died has left in the store ends by itself, later than any file. */
export const SEGMENT_TTL_MS = MAX_RETENTION_MS + 24 * 3_600_000;

/** Files in segments: written and read as streams, never held whole. */
export class FileStore {
  readonly catalogue: FileCatalogue;
  readonly limits: FileLimits;
  readonly #segments: SegmentStore;

  constructor({ redis, segments, limits }: FileStoreOptions) {
    this.catalogue = new FileCatalogue(redis);
    this.#segments = segments;
    this.limits = limits;
  }

  /**
   * Stores a stream of bytes. What it is for is asked when its end has come; a file that cannot be
   * stored whole leaves nothing behind.
   * @throws QuernError `PAYLOAD_TOO_LARGE`, `STORAGE_FULL`, and whatever `content` or `describe` throws
   */
  async write(
    content: AsyncIterable<Uint8Array>,
    describe: () => Promise<Upload>,
  ): Promise<StoredFile> {
    const id = newFileId();
    try {
      const bytes = await this.#writeSegments(id, content);
      const { filename, purpose, retentionMs = this.limits.retentionMs } = await describe();
      const createdAtMs = Date.now();
      const expiresAtMs = createdAtMs + Math.min(retentionMs, MAX_RETENTION_MS);
      const record = { id, filename, purpose, createdAtMs, expiresAtMs };
      await this.catalogue.publish(record);
      return { ...record, bytes };
    } catch (error) {
      // If Redis is away as well, the sweep removes it later.
      await this.remove(id).catch(() => {});
      throw error;
    }
  }

  async #writeSegments(id: string, content: AsyncIterable<Uint8Array>): Promise<number> {
    const { maxFileBytes, totalBytes } = this.limits;
    let bytes = 0;
    let count = 0;
    for await (const piece of inPieces(content, SEGMENT_BYTES)) {
      bytes += piece.byteLength;
      if (bytes > maxFileBytes) throw fileTooLarge(maxFileBytes);
      const segment = await this.writeSegment(id, piece);
      await this.catalogue.append(id, count, segment, totalBytes);
      count += 1;
    }
    return bytes;
  }

  /** Puts bytes into the store; they belong to no file until a record says so. */
  async writeSegment(id: string, bytes: Uint8Array): Promise<Segment> {
    const name = ulid().toLowerCase();
    await this.#segments.write(id, name, bytes, SEGMENT_TTL_MS);
    return { bytes: bytes.byteLength, name };
  }

  /** Takes back what `writeSegment` wrote. */
  removeSegments(id: string, segments: readonly Segment[]): Promise<void> {
    return this.#segments.remove(
      id,
      segments.map(({ name }) => name),
    );
  }

  /**
   * The bytes of a file, or of a range of it, piece by piece.
   * @throws QuernError `FILE_NOT_FOUND` if it is removed meanwhile
   */
  async *read(id: string, range?: ByteRange): AsyncGenerator<Uint8Array, void> {
    const first = range?.first ?? 0;
    const end = range === undefined ? Number.POSITIVE_INFINITY : range.last + 1;
    let start = 0;
    for (const { bytes, name } of await this.catalogue.segments(id)) {
      if (start >= end) return;
      if (start + bytes > first) {
        const content = await this.#segments.read(id, name);
        if (content === undefined) throw removedMeanwhile(id);
        yield content.subarray(Math.max(0, first - start), Math.min(bytes, end - start));
      }
      start += bytes;
    }
  }

  /** @returns whether there was such a file */
  async remove(id: string): Promise<boolean> {
    const { existed, segments } = await this.catalogue.forget(id);
    await this.removeSegments(id, segments);
    return existed;
  }

  /** Removes files whose time is over; any number of processes may do so at a time. */
  async sweep(): Promise<void> {
    for (;;) {
      const ids = await this.catalogue.expired();
      if (ids.length === 0) return;
      for (const id of ids) await this.remove(id);
    }
  }
}

/** The same bytes in pieces of exactly `size`, but for the last. */
async function* inPieces(
  content: AsyncIterable<Uint8Array>,
  size: number,
): AsyncGenerator<Uint8Array, void> {
  let piece = Buffer.allocUnsafe(size);
  let filled = 0;
  for await (const chunk of content) {
    for (let taken = 0; taken < chunk.byteLength; ) {
      const part = chunk.subarray(taken, taken + size - filled);
      piece.set(part, filled);
      filled += part.byteLength;
      taken += part.byteLength;
      if (filled < size) continue;
      yield piece;
      // A new one: whoever got the last may not be done with it.
      piece = Buffer.allocUnsafe(size);
      filled = 0;
    }
  }
  if (filled > 0) yield piece.subarray(0, filled);
}

function fileTooLarge(maxBytes: number): QuernError {
  return new QuernError(
    'PAYLOAD_TOO_LARGE',
    `file: got more than ${maxBytes} bytes, which is the most (QUERN_MAX_FILE_BYTES)`,
  );
}

function removedMeanwhile(id: string): QuernError {
  return new QuernError('FILE_NOT_FOUND', `file: ${id} was removed while it was read`);
}
