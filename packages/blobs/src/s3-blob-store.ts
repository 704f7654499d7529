import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { GetObjectCommandOutput, S3Client } from '@aws-sdk/client-s3';
import { QuernError } from '@quern/contract';
import { assertBlobKey, blobStoreFault } from './blob-errors.ts';
import type { BlobContent, BlobStore, BlobWriteOptions, ByteRange } from './blob-store.ts';
import { S3Connection, type S3Options } from './s3-connection.ts';
import { WatchedSource } from './watched-source.ts';

/** Pieces of a blob whose size is not known before, of which two are held at a time. */
const PART_BYTES = 8 * 1024 * 1024;
/** S3 takes no more in one request. */
const MAX_REMOVED_AT_A_TIME = 1000;
const HEADS_AT_A_TIME = 16;
const ENDS_AT = 'quern-ends-at';

/**
 * Blobs as objects in a bucket of S3, or of a storage that speaks its protocol.
 *
 * The object of a key is the SHA-256 of the key behind the prefix, and its metadata says when it ends: S3
 * replaces and removes objects in one step, but knows no end of a single one. What an upload in parts
 * leaves when its writer dies cannot be seen here: a lifecycle rule of the bucket removes it.
 */
export class S3BlobStore implements BlobStore {
  readonly #connection: S3Connection;
  readonly #bucket: string;
  readonly #prefix: string;
  readonly #where: string;
  /** When objects end, by name and ETag, so that a sweep asks once for each. */
  #ends = new Map<string, number>();

  /** Connects when it is first used. Credentials are those that AWS's own tools would find. */
  constructor(options: S3Options) {
    this.#connection = new S3Connection(options);
    this.#bucket = options.bucket;
    this.#prefix = options.prefix ?? '';
    this.#where = `the bucket ${options.bucket}${options.endpoint === undefined ? '' : ` at ${options.endpoint}`}`;
  }

  async write(key: string, content: BlobContent, { ttlMs }: BlobWriteOptions): Promise<void> {
    assertBlobKey(key);
    const source = new WatchedSource(content);
    const metadata = { [ENDS_AT]: String(Date.now() + ttlMs) };
    const place = { Bucket: this.#bucket, Key: this.#nameOf(key), Metadata: metadata };
    try {
      const { client, sdk, storage } = await this.#connection.open();
      if (source.content instanceof Uint8Array) {
        await client.send(new sdk.PutObjectCommand({ ...place, Body: source.content }));
        return;
      }
      const body = Readable.from(source.content, { objectMode: false });
      const params = { ...place, Body: body };
      await new storage.Upload({ client, params, partSize: PART_BYTES, queueSize: 2 }).done();
    } catch (error) {
      if (source.failure !== undefined) throw source.failure.error;
      throw this.#fault(`write ${key}`, error);
    }
  }

  async read(key: string, range?: ByteRange): Promise<Uint8Array | null> {
    try {
      const body = await this.#get(key, range);
      // A copy of its own: small buffers of Node lie anywhere in a shared one.
      return body === null ? null : new Uint8Array(await body.transformToByteArray());
    } catch (error) {
      throw this.#fault(`read ${key}`, error);
    }
  }

  async stream(key: string, range?: ByteRange): Promise<Readable | null> {
    try {
      const body = await this.#get(key, range);
      if (body === null || body instanceof Readable) return body;
      return Readable.from([await body.transformToByteArray()], { objectMode: false });
    } catch (error) {
      throw this.#fault(`read ${key}`, error);
    }
  }

  async #get(key: string, range: ByteRange | undefined): Promise<ObjectBody | null> {
    const { client, sdk } = await this.#connection.open();
    const place = { Bucket: this.#bucket, Key: this.#nameOf(key) };
    try {
      // A range of no bytes cannot be said in HTTP.
      if (isEmptyRange(range)) return await this.#nothingOf(client, place);
      const wanted = range === undefined ? {} : { Range: headerOf(range) };
      const answer = await client.send(new sdk.GetObjectCommand({ ...place, ...wanted }));
      if (answer.Body === undefined) return null;
      if (endOf(answer.Metadata) > Date.now()) return answer.Body;
      if (answer.Body instanceof Readable) answer.Body.destroy();
      return null;
    } catch (error) {
      if (isMissing(error)) return null;
      // It starts behind the end of the object.
      if (isStatus(error, 416)) return this.#nothingOf(client, place);
      throw error;
    }
  }

  /** No bytes of an object, if it is there. */
  async #nothingOf(
    client: S3Client,
    place: { Bucket: string; Key: string },
  ): Promise<ObjectBody | null> {
    const { sdk } = await this.#connection.open();
    try {
      const { Metadata } = await client.send(new sdk.HeadObjectCommand(place));
      return endOf(Metadata) > Date.now() ? NOTHING : null;
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  }

  async remove(keys: readonly string[]): Promise<void> {
    await this.#removeObjects(keys.map((key) => this.#nameOf(key)));
  }

  async #removeObjects(names: readonly string[]): Promise<void> {
    if (names.length === 0) return;
    try {
      const { client, sdk } = await this.#connection.open();
      for (let first = 0; first < names.length; first += MAX_REMOVED_AT_A_TIME) {
        const objects = names.slice(first, first + MAX_REMOVED_AT_A_TIME);
        const { Errors: [problem] = [] } = await client.send(
          new sdk.DeleteObjectsCommand({
            Bucket: this.#bucket,
            Delete: { Objects: objects.map((Key) => ({ Key })), Quiet: true },
          }),
        );
        if (problem !== undefined) throw new Error(`${problem.Code}: ${problem.Message}`);
      }
    } catch (error) {
      throw this.#fault('remove blobs', error);
    }
  }

  async sweep(): Promise<number> {
    const seen = new Map<string, number>();
    let removed = 0;
    try {
      const { client, sdk } = await this.#connection.open();
      const listing = { Bucket: this.#bucket, Prefix: this.#prefix };
      for await (const { Contents = [] } of sdk.paginateListObjectsV2({ client }, listing)) {
        const ended: string[] = [];
        for (let first = 0; first < Contents.length; first += HEADS_AT_A_TIME) {
          const some = Contents.slice(first, first + HEADS_AT_A_TIME);
          await Promise.all(
            some.map(async ({ Key: name, ETag: tag }) => {
              if (name !== undefined && (await this.#hasEnded(name, tag, seen))) ended.push(name);
            }),
          );
        }
        await this.#removeObjects(ended);
        removed += ended.length;
      }
    } catch (error) {
      throw this.#fault('remove what has ended', error);
    }
    this.#ends = seen;
    return removed;
  }

  /** What is said to have ended is asked again: the same content may have been written with a later end. */
  async #hasEnded(
    name: string,
    tag: string | undefined,
    seen: Map<string, number>,
  ): Promise<boolean> {
    const object = `${name} ${tag ?? ''}`;
    const known = this.#ends.get(object) ?? 0;
    const endsAtMs = known > Date.now() ? known : await this.#endOfObject(name);
    if (endsAtMs <= Date.now()) return true;
    seen.set(object, endsAtMs);
    return false;
  }

  /** When an object ends, in ms; never, for one that is not ours or is gone. */
  async #endOfObject(name: string): Promise<number> {
    const { client, sdk } = await this.#connection.open();
    try {
      const place = { Bucket: this.#bucket, Key: name };
      return endOf((await client.send(new sdk.HeadObjectCommand(place))).Metadata);
    } catch (error) {
      if (isMissing(error)) return Number.POSITIVE_INFINITY;
      throw error;
    }
  }

  close(): Promise<void> {
    return this.#connection.close();
  }

  /** Of the library's errors only what they say: they hold the whole request, connection and all. */
  #fault(action: string, error: unknown): QuernError {
    if (error instanceof QuernError || !(error instanceof Error)) {
      return blobStoreFault(action, this.#where, error);
    }
    const { name, message, stack } = error;
    const cause = Object.assign(new Error(`${name}: ${message}`), { stack });
    return blobStoreFault(action, this.#where, cause);
  }

  #nameOf(key: string): string {
    return this.#prefix + createHash('sha256').update(key).digest('hex');
  }
}

type ObjectBody =
  | NonNullable<GetObjectCommandOutput['Body']>
  | { readonly transformToByteArray: () => Promise<Uint8Array> };

const NOTHING: ObjectBody = { transformToByteArray: async () => new Uint8Array() };

function isEmptyRange(range: ByteRange | undefined): boolean {
  return range?.end !== undefined && range.end <= Math.max(0, range.start);
}

/** HTTP's own last byte is one that is wanted. */
function headerOf({ start, end }: ByteRange): string {
  return `bytes=${Math.max(0, start)}-${end === undefined ? '' : end - 1}`;
}

function endOf(metadata: Readonly<Record<string, string>> | undefined): number {
  const text = metadata?.[ENDS_AT];
  return text === undefined ? Number.POSITIVE_INFINITY : Number(text);
}

/** The object is not there. A bucket that is not there is a fault. */
function isMissing(error: unknown): boolean {
  return error instanceof Error && (error.name === 'NoSuchKey' || error.name === 'NotFound');
}

function isStatus(error: unknown, status: number): boolean {
  if (!(error instanceof Error) || !('$metadata' in error)) return false;
  const { $metadata: metadata } = error;
  return (
    typeof metadata === 'object' &&
    metadata !== null &&
    'httpStatusCode' in metadata &&
    metadata.httpStatusCode === status
  );
}
