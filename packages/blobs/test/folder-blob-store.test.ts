import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '@quern/testkit';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FolderBlobStore } from '../src/index.ts';
import { testBlobStore } from './blob-store-contract.ts';

let folder: string;
let store: FolderBlobStore;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'quern-blobs-'));
  store = new FolderBlobStore(join(folder, 'made', 'when needed'));
});
afterEach(async () => {
  await store.close();
  await rm(folder, { recursive: true, force: true });
});

const content = new TextEncoder().encode('content');

/** Every file below the store's folder. */
async function files(): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));
}

describe('a folder of blobs', () => {
  testBlobStore(() => store);

  test('is shared by stores that know nothing of each other', async () => {
    await store.write('key', content, { ttlMs: 60_000 });
    const other = new FolderBlobStore(join(folder, 'made', 'when needed'));
    expect(await other.read('key')).toEqual(content);
    await other.remove(['key']);
    expect(await store.read('key')).toBeNull();
    expect(await files()).toEqual([]);
  });

  test('is swept of what has ended and of what a dead writer left, and of nothing else', async () => {
    await store.write('long', content, { ttlMs: 3_600_000 });
    await store.write('short', content, { ttlMs: 1 });
    const root = join(folder, 'made', 'when needed');
    const [abandoned, current] = ['abandoned', 'current'].map((name) =>
      join(root, 'unfinished', name),
    );
    await writeFile(abandoned ?? '', content);
    await writeFile(current ?? '', content);
    await writeFile(join(root, 'notes.txt'), 'somebody else put it here');
    const longAgo = new Date(Date.now() - 48 * 3_600_000);
    await utimes(abandoned ?? '', longAgo, longAgo);
    await utimes(join(root, 'notes.txt'), longAgo, longAgo);
    await eventually(async () => expect(await store.read('short')).toBeNull());
    expect(await store.sweep()).toBe(2);
    const left = (await files()).map((path) => path.slice(root.length + 1));
    expect(left).toHaveLength(3);
    expect(left).toEqual(expect.arrayContaining(['notes.txt', join('unfinished', 'current')]));
    expect(await store.read('long')).toEqual(content);
  });

  test('may be swept by many at a time', async () => {
    const keys = Array.from({ length: 50 }, (_, index) => `key ${index}`);
    await Promise.all(keys.map((key) => store.write(key, content, { ttlMs: 1 })));
    await eventually(async () => expect(await store.read('key 49')).toBeNull());
    const removed = await Promise.all([1, 2, 3, 4].map(() => store.sweep()));
    expect(removed.reduce((sum, count) => sum + count, 0)).toBe(50);
    expect(await files()).toEqual([]);
  });

  test('need not be there to be swept or read', async () => {
    expect(await store.sweep()).toBe(0);
    expect(await store.read('key')).toBeNull();
  });

  test('says which folder fails', async () => {
    await writeFile(join(folder, 'made'), 'a file where the folder should be');
    await expect(store.write('key', content, { ttlMs: 1000 })).rejects.toMatchObject({
      code: 'BLOB_STORE_UNAVAILABLE',
      message: expect.stringContaining(join(folder, 'made')),
    });
  });
});
