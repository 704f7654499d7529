import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isBlobReference, openBlobs } from '../src/index.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'quern-places-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const bytes = new TextEncoder().encode('a payload');

test('payloads from the size on go to the store that is chosen', async () => {
  const places = openBlobs({ blobStore: 'folder', blobMinBytes: 5000, blobFolder: folder });
  expect(places.referenceFor('quern:{m}.input:1', 4999)).toBe('quern:{m}.input:1');
  expect(places.referenceFor('quern:{m}.input:1', 5000)).toBe('folder:quern:{m}.input:1');
  await places.close();
});

test('a payload is found by its reference after new ones have begun to go elsewhere', async () => {
  const before = openBlobs({ blobStore: 'folder', blobMinBytes: 5, blobFolder: folder });
  const reference = before.referenceFor('quern:{m}.result:1', bytes.byteLength);
  await before.write(reference, bytes, 60_000);
  await before.close();
  const after = openBlobs({ blobStore: 'redis', blobMinBytes: 5, blobFolder: folder });
  expect(after.referenceFor('quern:{m}.result:2', bytes.byteLength)).toBe('quern:{m}.result:2');
  expect(await after.read(reference)).toEqual(bytes);
  await after.remove([reference]);
  expect(await after.read(reference)).toBeNull();
  await after.close();
});

test('a store that a process was not told of is named in the error', async () => {
  const places = openBlobs({ blobStore: 'redis', blobMinBytes: 5000 });
  await expect(places.read('folder:quern:{m}.input:1')).rejects.toMatchObject({
    code: 'BLOB_STORE_UNAVAILABLE',
    message: expect.stringContaining('QUERN_BLOB_'),
  });
});

test('a store that is chosen must be configured', () => {
  expect(() => openBlobs({ blobStore: 'folder', blobMinBytes: 5000 })).toThrow(
    'QUERN_BLOB_FOLDER: got nothing, expected a folder',
  );
  expect(() => openBlobs({ blobStore: 's3', blobMinBytes: 5000 })).toThrow(
    'QUERN_BLOB_S3_BUCKET: got nothing, expected a bucket',
  );
});

test('keys in Redis are no references', () => {
  expect(isBlobReference('quern:{folder}.input:folder:x')).toBe(false);
  expect(isBlobReference('folder:quern:{m}.input:1')).toBe(true);
});
