import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, freePort } from '@quern/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { S3BlobStore } from '../src/index.ts';
import { testBlobStore } from './blob-store-contract.ts';
import { CREDENTIALS, S3Server } from './s3-server.ts';

let folder: string;
let server: S3Server;
let store: S3BlobStore;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'quern-s3-'));
  server = await S3Server.start(folder);
  store = open();
});
afterAll(async () => {
  await store.close();
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

function open(options: { bucket?: string; endpoint?: string; prefix?: string } = {}): S3BlobStore {
  return new S3BlobStore({
    bucket: 'blobs',
    endpoint: server.endpoint,
    pathStyle: true,
    prefix: 'tests/',
    credentials: CREDENTIALS,
    ...options,
  });
}

const content = new TextEncoder().encode('content');

describe('a bucket of blobs', () => {
  // The server overwrites the files of its objects; S3 itself replaces objects in one step.
  testBlobStore(() => store, { isAtomic: false });

  test('is shared by stores that know nothing of each other', async () => {
    await store.write('shared', content, { ttlMs: 60_000 });
    const other = open();
    expect(await other.read('shared')).toEqual(content);
    await other.remove(['shared']);
    expect(await store.read('shared')).toBeNull();
    await other.close();
  });

  test('is swept of what has ended behind the prefix, and of nothing else', async () => {
    const swept = open({ prefix: 'swept/' });
    await swept.write('long', content, { ttlMs: 3_600_000 });
    for (const key of ['short 1', 'short 2']) await swept.write(key, content, { ttlMs: 1 });
    await store.write('short', content, { ttlMs: 1 });
    await eventually(async () => expect(await swept.read('short 2')).toBeNull());
    expect(await swept.sweep()).toBe(2);
    expect(await swept.sweep()).toBe(0);
    expect(await swept.read('long')).toEqual(content);
    await swept.write('long', Buffer.from('other content'), { ttlMs: 1 });
    await eventually(async () => expect(await swept.read('long')).toBeNull());
    expect(await swept.sweep()).toBe(1);
    await swept.close();
  });

  test('removes more blobs than one request takes', async () => {
    const names = Array.from({ length: 1500 }, (_, index) => `many ${index}`);
    const kept = names.at(-1) ?? '';
    await store.write(kept, content, { ttlMs: 60_000 });
    await store.remove(names);
    expect(await store.read(kept)).toBeNull();
  });

  test('says which bucket is not there', async () => {
    const lost = open({ bucket: 'no-such-bucket' });
    for (const failing of [
      () => lost.read('key'),
      () => lost.write('key', content, { ttlMs: 1000 }),
      () => lost.remove(['key']),
      () => lost.sweep(),
    ]) {
      await expect(failing()).rejects.toMatchObject({
        code: 'BLOB_STORE_UNAVAILABLE',
        message: expect.stringContaining('no-such-bucket'),
      });
    }
    await lost.close();
  });

  test('says that nobody answers, and may be closed then', async () => {
    const away = open({ endpoint: `http://127.0.0.1:${await freePort()}` });
    await expect(away.read('key')).rejects.toMatchObject({ code: 'BLOB_STORE_UNAVAILABLE' });
    await away.close();
    await away.close();
  });
});
