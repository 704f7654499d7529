import { connectRedis } from '@quern/queue';
import { TestRedis } from '@quern/testkit';
import fc from 'fast-check';
import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { FileStore, RedisSegmentStore, type Upload } from '../src/index.ts';

const LIMITS = { maxFileBytes: 3_000_000, totalBytes: 3_500_000, retentionMs: 3_600_000 };
const UPLOAD: Upload = { filename: 'in.jsonl', purpose: 'batch' };

let server: TestRedis;
let redis: Redis;
let store: FileStore;

beforeAll(async () => {
  server = await TestRedis.start();
  const onError = (): void => {};
  redis = await connectRedis({
    url: server.url,
    role: 'producer',
    name: 'test',
    waitMs: 5000,
    onError,
  });
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});
beforeEach(() => {
  store = new FileStore({ redis, segments: new RedisSegmentStore(redis), limits: LIMITS });
});
afterEach(async () => {
  await redis.flushall();
});

/** Bytes of which each tells its place. */
function patterned(bytes: number): Buffer {
  const content = Buffer.alloc(bytes);
  for (let i = 0; i < bytes; i += 1) content[i] = (i * 31 + (i >> 8)) & 255;
  return content;
}

async function* inChunks(content: Buffer, sizes: readonly number[]): AsyncGenerator<Buffer> {
  let start = 0;
  for (const size of sizes) {
    yield content.subarray(start, start + size);
    start += size;
  }
  yield content.subarray(start);
}

async function bytesOf(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const read: Uint8Array[] = [];
  for await (const piece of pieces) read.push(piece);
  return Buffer.concat(read);
}

test('gives back every range of what came in, however it was cut', async () => {
  const content = patterned(2_300_000);
  const size = fc.integer({ min: 0, max: 1_200_000 });
  await fc.assert(
    fc.asyncProperty(fc.array(size, { maxLength: 4 }), size, size, async (sizes, a, b) => {
      const { id, bytes } = await store.write(inChunks(content, sizes), async () => UPLOAD);
      expect(bytes).toBe(content.byteLength);
      const range = { first: Math.min(a, b) * 2 - (Math.min(a, b) % 2), last: Math.max(a, b) * 2 };
      const last = Math.min(range.last, bytes - 1);
      const first = Math.min(range.first, last);
      expect(
        (await bytesOf(store.read(id, { first, last }))).equals(content.subarray(first, last + 1)),
      ).toBe(true);
      expect((await bytesOf(store.read(id))).equals(content)).toBe(true);
      expect(await store.remove(id)).toBe(true);
    }),
    { numRuns: 15 },
  );
});

test('leaves nothing behind of a file that is too large', async () => {
  const writing = store.write(inChunks(patterned(3_000_001), []), async () => UPLOAD);
  await expect(writing).rejects.toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
  expect(await redis.keys('*segment*')).toEqual([]);
});

test('leaves nothing behind of a file whose sender hangs up', async () => {
  const content = async function* () {
    yield patterned(1_500_000);
    throw new Error('hung up');
  };
  await expect(store.write(content(), async () => UPLOAD)).rejects.toThrow('hung up');
  expect(await redis.keys('*segment*')).toEqual([]);
});

test('takes no more than the room for all files, and has it back when one is removed', async () => {
  const write = () => store.write(inChunks(patterned(2_000_000), []), async () => UPLOAD);
  const { id } = await write();
  await expect(write()).rejects.toMatchObject({ code: 'STORAGE_FULL' });
  await store.remove(id);
  await expect(write()).resolves.toMatchObject({ bytes: 2_000_000 });
});

test('an expired file is gone, and its bytes with the next sweep', async () => {
  const { id } = await store.write(inChunks(patterned(100), []), async () => ({
    ...UPLOAD,
    retentionMs: 0,
  }));
  await expect(store.catalogue.get(id)).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
  await store.sweep();
  expect(await redis.keys('*segment*')).toEqual([]);
  expect((await store.catalogue.list({ limit: 10 })).items).toEqual([]);
});
