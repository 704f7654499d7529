import { createHash, randomUUID } from 'node:crypto';
import {
  type FileHandle,
  mkdir,
  open,
  opendir,
  rename,
  rm,
  stat,
  unlink,
  utimes,
} from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { assertBlobKey, blobStoreFault } from './blob-errors.ts';
import type { BlobContent, BlobStore, BlobWriteOptions, ByteRange } from './blob-store.ts';
import { clampRange } from './byte-range.ts';
import { WatchedSource } from './watched-source.ts';

/** A writer that has not touched its unfinished file for this long is gone. */
const ABANDONED_MS = 24 * 3_600_000;
const UNFINISHED = 'unfinished';

/**
 * Blobs as files in a folder, which any number of processes and hosts may share (over NFS, say).
 *
 * The file of a key is `<2 hex digits>/<62 hex digits>`, the SHA-256 of the key: safe on every file
 * system, whatever the key, and spread over 256 folders. Its modification time is the time at which the
 * blob ends, so hosts that share the folder need clocks that agree to a few seconds.
 *
 * A blob is written under `unfinished/`, synced to disk, and renamed to its place, whose folder is synced
 * then: after a power cut a blob is there whole, or was never acknowledged.
 */
export class FolderBlobStore implements BlobStore {
  readonly #root: string;
  readonly #where: string;

  /** @param folder made at the first write, if it is not there */
  constructor(folder: string) {
    this.#root = resolve(folder);
    this.#where = `the folder ${this.#root}`;
  }

  async write(key: string, content: BlobContent, { ttlMs }: BlobWriteOptions): Promise<void> {
    assertBlobKey(key);
    const unfinished = join(this.#root, UNFINISHED, randomUUID());
    const source = new WatchedSource(content);
    try {
      await makeFolder(dirname(unfinished));
      await writeSynced(unfinished, source.content);
      const endsAt = new Date(Date.now() + ttlMs);
      await utimes(unfinished, endsAt, endsAt);
      await moveSynced(unfinished, this.#pathOf(key));
    } catch (error) {
      await rm(unfinished, { force: true }).catch(() => {});
      if (source.failure !== undefined) throw source.failure.error;
      throw blobStoreFault(`write ${key}`, this.#where, error);
    }
  }

  async read(key: string, range?: ByteRange): Promise<Uint8Array | null> {
    try {
      const opened = await this.#open(key);
      if (opened === null) return null;
      try {
        const { start, end } = clampRange(range, opened.size);
        return await readAll(opened.file, start, end);
      } finally {
        await opened.file.close();
      }
    } catch (error) {
      throw blobStoreFault(`read ${key}`, this.#where, error);
    }
  }

  async stream(key: string, range?: ByteRange): Promise<Readable | null> {
    try {
      const opened = await this.#open(key);
      if (opened === null) return null;
      const { start, end } = clampRange(range, opened.size);
      // Node's own `end` is the last byte wanted, and cannot say "none".
      if (start < end) return opened.file.createReadStream({ start, end: end - 1 });
      return opened.file.createReadStream({ start: opened.size });
    } catch (error) {
      throw blobStoreFault(`read ${key}`, this.#where, error);
    }
  }

  /** The file of a blob that can be read now. The caller closes it. */
  async #open(key: string): Promise<{ file: FileHandle; size: number } | null> {
    let file: FileHandle;
    try {
      file = await open(this.#pathOf(key), 'r');
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
    const { mtimeMs, size } = await file.stat();
    if (mtimeMs > Date.now()) return { file, size };
    await file.close();
    return null;
  }

  async remove(keys: readonly string[]): Promise<void> {
    try {
      await Promise.all(keys.map((key) => rm(this.#pathOf(key), { force: true })));
    } catch (error) {
      throw blobStoreFault('remove blobs', this.#where, error);
    }
  }

  async sweep(): Promise<number> {
    try {
      let removed = 0;
      for await (const { name } of await opendir(this.#root)) {
        const isOurs = /^[0-9a-f]{2}$/.test(name);
        if (!isOurs && name !== UNFINISHED) continue;
        const maxAgeMs = isOurs ? 0 : ABANDONED_MS;
        removed += await removeEnded(join(this.#root, name), Date.now() - maxAgeMs);
      }
      return removed;
    } catch (error) {
      if (isMissing(error)) return 0;
      throw blobStoreFault('remove what has ended', this.#where, error);
    }
  }

  async close(): Promise<void> {}

  #pathOf(key: string): string {
    const digest = createHash('sha256').update(key).digest('hex');
    return join(this.#root, digest.slice(0, 2), digest.slice(2));
  }
}

async function writeSynced(path: string, content: BlobContent): Promise<void> {
  const file = await open(path, 'wx');
  try {
    if (content instanceof Uint8Array) await file.writeFile(content);
    else for await (const piece of content) await file.writeFile(piece);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function moveSynced(from: string, to: string): Promise<void> {
  const folder = dirname(to);
  const isNew = await makeFolder(folder);
  await rename(from, to);
  await syncFolder(folder);
  if (isNew) await syncFolder(dirname(folder));
}

/** @returns whether it was not there */
async function makeFolder(folder: string): Promise<boolean> {
  return (await mkdir(folder, { recursive: true })) !== undefined;
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Bytes from `start` up to `end`; fewer if somebody has cut the file off. */
async function readAll(file: FileHandle, start: number, end: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(end - start);
  let filled = 0;
  while (filled < bytes.byteLength) {
    const { bytesRead } = await file.read(bytes, filled, bytes.byteLength - filled, start + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return filled === bytes.byteLength ? bytes : bytes.slice(0, filled);
}

/** Removes the files of a folder whose modification time has passed. */
async function removeEnded(folder: string, nowMs: number): Promise<number> {
  let removed = 0;
  for await (const { name } of await opendir(folder)) {
    const path = join(folder, name);
    try {
      const { mtimeMs } = await stat(path);
      if (mtimeMs > nowMs) continue;
      await unlink(path);
      removed += 1;
    } catch (error) {
      // Another process was faster.
      if (!isMissing(error)) throw error;
    }
  }
  return removed;
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
